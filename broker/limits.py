"""What LLM calls are limited by, and what crosses the limiter's door: demands, permits, refusals, results.

`Pace` says why no minute can hold more than its limit. The arithmetic is repeated in `broker/lua`, where it
runs; the two are compared by a test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from typing import Literal

from linkner.errors import ConfigurationError

MICROS = 1_000_000
MAX_LIMIT = 1_000_000_000
"""No limit is larger: more than that is a mistake."""
WINDOW_S = 60.0
LATENESS_S = 0.6
"""How much later than their permits calls may reach the endpoint, each by a different time."""
SLICE_S = 0.5
"""Tokens are counted in slices of time; a window may take in a part of one at its beginning."""

Reason = Literal[
    "breaker", "hold", "money_reserved", "money_per_hour", "money_per_day", "in_flight", "requests", "tokens"
]
"""Why a call may not go now: the circuit breaker, a pause that the endpoint asked for, or a limit.

`money_reserved`: the money of an hour or day is spent if calls in flight take all that they may, which they
seldom do.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one endpoint and model; 0 is none. Money is in the currency of the prices.

    Hours and days are those of UTC: a budget can be spent at any pace, and is whole again with the next one.

    Raises:
        ConfigurationError: a limit is negative or above MAX_LIMIT.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    in_flight: int = 0
    money_per_hour: Decimal = Decimal(0)
    money_per_day: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not math.isfinite(value) or not 0 <= value <= MAX_LIMIT:
                raise ConfigurationError(
                    f"the limit {name} of LLM calls cannot be used",
                    expected=f"a number up to {MAX_LIMIT:,}, or 0 for no limit",
                    got=str(value),
                )


LIMIT_NAMES = tuple(limit.name for limit in fields(Limits))


@dataclass(frozen=True, slots=True)
class Pace:
    """GCRA's two numbers in microseconds: each unit takes `interval`, and may be early by `tolerance`.

    The state is one number, the theoretical arrival time (TAT). A call of c units starts at
    `max(now, TAT + c * interval - tolerance)`, after which the TAT is `max(TAT, start) + c * interval` (what
    a call takes beyond the burst, tolerance / interval, it has waited for before its start). So what starts
    within any W seconds is less than W / interval + burst, where no call is larger than the burst.
    With the interval and burst of `of` that is less than limit + 1 for W = WINDOW_S + LATENESS_S: units are
    whole, so no minute at the endpoint holds more than the limit. The pace is 98 % of it.

    That alone would do for requests. Tokens that a call gives back when it is settled may have been taken
    before a window and be taken again in it, and large calls may follow each other. So what counts in the
    window is summed up as well, by slices of SLICE_S in which calls start, and none starts that would bring
    it over the limit.
    """

    interval: float
    tolerance: float

    @classmethod
    def of(cls, limit: int) -> Pace:
        """The pace of at most `limit` (at least 1) units in any minute."""
        interval = round((WINDOW_S + LATENESS_S + SLICE_S) * MICROS) / limit
        return cls(interval=interval, tolerance=(1 + limit // 125) * interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a call may take at most: its prompt's tokens (estimated), those of its answer, and their price."""

    prompt_tokens: int
    max_tokens: int
    money: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        """What is reserved of the limit on tokens."""
        return self.prompt_tokens + self.max_tokens


@dataclass(frozen=True, slots=True)
class Permit:
    """A call may be made `wait_s` from now, and is to be settled after it; else the permit lapses."""

    id: str
    wait_s: float
    demand: Demand


@dataclass(frozen=True, slots=True)
class Refusal:
    """No call may be made; nothing was taken. Come back after `wait_s`, by when others have gone before."""

    wait_s: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Said:
    """What an endpoint's response said about its limits; None where it said nothing.

    `pause_s`: no call may go for that long. It can only slow the calls down, whatever it is.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    pause_s: float | None = None

    def lowering(self, limits: Limits) -> Limits:
        """The limits, with those lowered that the endpoint said less of."""
        return replace(
            limits,
            requests_per_minute=_least(limits.requests_per_minute, self.requests_per_minute),
            tokens_per_minute=_least(limits.tokens_per_minute, self.tokens_per_minute),
        )


NOTHING_SAID = Said()


def _least(limit: int, said: int | None) -> int:
    return min((value for value in (limit, said) if value), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a call ended: `answered` (a refusal for good is an answer too), `failed`, told to come `later`, or
    `unused`, where none was made: the breaker learns nothing of it, and another may be the probe.

    `tokens` and `money` are what it took in the end; None is what was reserved.
    """

    outcome: Literal["answered", "failed", "later", "unused"]
    tokens: int | None = None
    money: Decimal | None = None
    said: Said = NOTHING_SAID


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """One look at a limiter, on the server's clock.

    `overrides` were set while running, `said` is what the endpoint lowered; `limits` is what holds now.
    `open_s` until the breaker lets the next call through, 0.0 where it is closed or a probe is due.
    """

    limits: Limits
    overrides: Mapping[str, int | Decimal] = field(default_factory=dict)
    said: Said = NOTHING_SAID
    in_flight: int = 0
    spent_hour: Decimal = Decimal(0)
    spent_day: Decimal = Decimal(0)
    breaker: Literal["closed", "open", "probing"] = "closed"
    open_s: float = 0.0
    hold_s: float = 0.0

    @property
    def is_down(self) -> bool:
        """Whether the breaker lets no call through, but for a probe."""
        return self.breaker != "closed"

    @property
    def money_is_spent(self) -> bool:
        """Whether nothing is left of the money of this hour, or of this day."""
        return any(
            limit and spent >= limit
            for limit, spent in (
                (self.limits.money_per_hour, self.spent_hour),
                (self.limits.money_per_day, self.spent_day),
            )
        )
