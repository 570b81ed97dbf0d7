"""The limits of the replaying endpoint, enforced over sliding minutes: a call beyond one is a violation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from workers.simulate_llm.calls import CallCounts

WINDOW_S = 60.0


@dataclass(slots=True)
class Taken:
    """What one call takes of a limit, at the time (s) when it was admitted."""

    at: float
    amount: int


class SlidingWindow:
    """What happened in the last WINDOW_S seconds, and a strict limit on its sum."""

    def __init__(self, limit: int) -> None:
        """`limit` 0 means none."""
        self.limit = limit
        self._events: deque[Taken] = deque()
        self.total = 0

    def wait_s(self, amount: int, *, now: float) -> float:
        """Seconds until `amount` more fits; 0.0 if it fits now. More than the limit waits a whole window."""
        self._forget(now)
        excess = self.total + amount - self.limit
        if not self.limit or excess <= 0:
            return 0.0
        for event in self._events:
            excess -= event.amount
            if excess <= 0:
                return event.at + WINDOW_S - now
        return WINDOW_S

    def add(self, amount: int, *, now: float) -> Taken:
        """Count `amount` at `now`; times never go back."""
        self._forget(now)
        self._events.append(Taken(now, amount))
        self.total += amount
        return self._events[-1]

    def correct(self, taken: Taken, amount: int, *, now: float) -> None:
        """Count `amount` in place of what was counted, at the same time as that."""
        self._forget(now)
        if taken.at > now - WINDOW_S:
            self.total += amount - taken.amount
        taken.amount = amount

    def left(self, *, now: float) -> int:
        """How much still fits; 0 without a limit."""
        self._forget(now)
        return max(0, self.limit - self.total)

    def reset_s(self, *, now: float) -> float:
        """Seconds until nothing counts any more."""
        self._forget(now)
        return self._events[-1].at + WINDOW_S - now if self._events else 0.0

    def _forget(self, now: float) -> None:
        while self._events and self._events[0].at <= now - WINDOW_S:
            self.total -= self._events.popleft().amount


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that was let in at `at` (s)."""

    at: float
    tokens: Taken


@dataclass
class Admission:
    """Both limits, enforced together, and the counts of calls and violations.

    A call is let in with all tokens that it asks for. With `charge` `used` those are replaced by what it used
    once it has ended; `asked` never gives any back.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    charge: Literal["used", "asked"] = "used"
    counts: CallCounts = field(default_factory=CallCounts)

    def __post_init__(self) -> None:
        self._calls = SlidingWindow(0)
        self.requests = SlidingWindow(self.requests_per_minute)
        self.tokens = SlidingWindow(self.tokens_per_minute)

    def admit(self, tokens: int, *, now: float) -> Admitted | float:
        """Count a call that may take `tokens`: let in, or the seconds to wait."""
        self._calls.add(1, now=now)
        counts = self.counts
        counts.calls += 1
        counts.peak_per_minute = max(counts.peak_per_minute, self._calls.total)
        wait = max(self.requests.wait_s(1, now=now), self.tokens.wait_s(tokens, now=now))
        if wait > 0:
            counts.violations += 1
            return wait
        self.requests.add(1, now=now)
        counts.peak_admitted_per_minute = max(counts.peak_admitted_per_minute, self.requests.total)
        return Admitted(now, self.tokens.add(tokens, now=now))

    def settle(self, admitted: Admitted, used: int, *, now: float) -> int:
        """The tokens that count in the end, for a call that used so many."""
        if self.charge == "used":
            self.tokens.correct(admitted.tokens, used, now=now)
        return admitted.tokens.amount
