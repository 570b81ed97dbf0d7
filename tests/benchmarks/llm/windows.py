"""What a simulated provider's ledger of calls says: pure functions over its lines."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Any

WINDOW_S = 60.0
SHORT_S = 10.0
BACK = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One call: when it came (s), its status, whether it was beyond a limit, the tokens that counted, and a
    hash of the question."""

    at: float
    status: int
    violation: bool
    tokens: int
    question: str


def read(lines: Iterable[str]) -> list[Called]:
    """The calls of a ledger in the order in which they came; a last line that is not whole is left out."""
    found = []
    for line in lines:
        if line.endswith("\n"):
            value: dict[str, Any] = json.loads(line)
            found.append(
                Called(
                    at=value["at"],
                    status=value["status"],
                    violation=value["violation"],
                    tokens=value["used"],
                    question=value["question"],
                )
            )
    return sorted(found, key=lambda call: call.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The share of a limit used in each window; the limit is the one of which most is used."""

    least: float
    middle: float
    most: float
    windows: int
    binding: str


def use(
    calls: Sequence[Called],
    *,
    requests: int,
    tokens: int,
    begin: float,
    end: float,
    window_s: float = WINDOW_S,
) -> Use:
    """The use of limits a minute in all windows between `begin` and `end` (s), one beginning each second.

    A limit of 0 is none. What was refused uses nothing.

    Raises:
        ValueError: not one window fits, or there is no limit.
    """
    admitted = [call for call in calls if not call.violation]
    times = [call.at for call in admitted]
    sums = {
        "requests": (requests, list(range(len(admitted) + 1))),
        "tokens": (tokens, [0, *accumulate(call.tokens for call in admitted)]),
    }
    shares: dict[str, list[float]] = {}
    starts = [begin + second for second in range(int(end - begin - WINDOW_S) + 1)]
    for name, (limit, upto) in sums.items():
        if limit:
            shares[name] = [
                (upto[bisect_left(times, start + WINDOW_S)] - upto[bisect_left(times, start)]) / limit
                for start in starts
            ]
    if not starts or not shares:
        raise ValueError("no window, or no limit")
    binding = max(shares, key=lambda name: median(shares[name]))
    found = shares[binding]
    return Use(least=min(found), middle=median(found), most=max(found), windows=len(found), binding=binding)


def back_after_s(
    calls: Sequence[Called],
    *,
    requests: int,
    at: float,
    end: float,
    share: float = 0.95,
    window_s: float = 10.0,
) -> float | None:
    """Seconds from `at` to the end of the first SHORT_S in which BACK of what is allowed is used.

    None where none does before `end`.
    """
    times = [call.at for call in calls if not call.violation]
    wanted = BACK * requests * SHORT_S / WINDOW_S
    start = at
    while start + SHORT_S <= end:
        if bisect_left(times, start + SHORT_S) - bisect_left(times, start) >= wanted:
            return start + SHORT_S - at
        start += 0.25
    return None


def in_second(calls: Sequence[Called], at: float) -> int:
    """Calls, refused ones included, in the second that begins at `at`."""
    return sum(at <= call.at < at + 1.0 for call in calls)
