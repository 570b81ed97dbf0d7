"""How the replayed endpoint behaves: its latency, its limits, its faults, and the ledger of what happened."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from linkner.errors import ConfigurationError

WINDOW_S = 60.0
_Z99 = 2.3263478740408408
"""The standard normal's 99th percentile."""

Fault = Literal["error", "malformed", "drip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The options. Limits of 0 mean no limit; rates are shares of the calls, in [0, 1].

    Latency is log-normal with the given median and 99th percentile (s). A dripping reply comes byte by
    byte, spread evenly over `drip_s`. A batch ends after `batch_s`; of its requests a share of
    `batch_expire_rate` is then not done. `refuse_schemas` refuses requests for structured outputs.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    latency_median_s: float = 0.0
    latency_p99_s: float = 0.0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    error_rate: float = 0.0
    malformed_rate: float = 0.0
    drip_rate: float = 0.0
    drip_s: float = 120.0
    batch_s: float = 0.0
    batch_expire_rate: float = 0.0
    refuse_schemas: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        rates = (self.error_rate, self.malformed_rate, self.drip_rate)
        if min(rates) < 0 or sum(rates) > 1 or not 0 <= self.batch_expire_rate <= 1:
            raise ConfigurationError(
                "the fault rates are out of range", expected="shares that sum to at most 1"
            )
        if self.latency_median_s < 0 or 0 < self.latency_p99_s < self.latency_median_s:
            raise ConfigurationError("the latency is out of range", expected="0 <= median <= 99th percentile")
        if min(self.requests_per_minute, self.tokens_per_minute, self.batch_s) < 0 or self.drip_s <= 0:
            raise ConfigurationError("a limit or a time is out of range", expected="no negative numbers")

    def latency_s(self, random: Random) -> float:
        """One draw of the latency; without a 99th percentile it is always the median."""
        if not self.latency_p99_s or not self.latency_median_s:
            return self.latency_median_s
        sigma = math.log(self.latency_p99_s / self.latency_median_s) / _Z99
        return self.latency_median_s * math.exp(random.gauss(0.0, sigma))

    def fault(self, random: Random) -> Fault | None:
        """One draw of what goes wrong with a call, if anything does."""
        draw = random.random()
        faults: tuple[tuple[Fault, float], ...] = (
            ("error", self.error_rate),
            ("malformed", self.malformed_rate),
            ("drip", self.drip_rate),
        )
        for fault, rate in faults:
            if draw < rate:
                return fault
            draw -= rate
        return None


class SlidingWindow:
    """What happened in the last WINDOW_S seconds, and a strict limit on its sum."""

    def __init__(self, limit: int) -> None:
        """`limit` 0 means none."""
        self._limit = limit
        self._events: deque[tuple[float, int]] = deque()
        self.total = 0

    def wait_s(self, amount: int, *, now: float) -> float:
        """Seconds until `amount` more fits; 0.0 if it fits now. More than the limit waits a whole window."""
        self._forget(now)
        excess = self.total + amount - self._limit
        if not self._limit or excess <= 0:
            return 0.0
        for time, taken in self._events:
            excess -= taken
            if excess <= 0:
                return time + WINDOW_S - now
        return WINDOW_S

    def add(self, amount: int, *, now: float) -> None:
        """Count `amount` at `now`; times never go back."""
        self._forget(now)
        self._events.append((now, amount))
        self.total += amount

    def _forget(self, now: float) -> None:
        while self._events and self._events[0][0] <= now - WINDOW_S:
            self.total -= self._events.popleft()[1]


@dataclass(slots=True)
class Ledger:
    """Counts since the start. `violations` are calls beyond a limit: each got 429 and no answer.

    `peak_per_minute` is the largest number of calls, violations included, in any sliding minute.
    Tokens are of answered calls, and estimated.
    """

    calls: int = 0
    answered: int = 0
    violations: int = 0
    refused: int = 0
    not_recorded: int = 0
    errors: int = 0
    malformed: int = 0
    drips: int = 0
    batched: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    peak_per_minute: int = 0


@dataclass
class Admission:
    """Both limits, enforced together, with the ledger's counts of calls and violations."""

    behaviour: Behaviour
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self._calls = SlidingWindow(0)
        self._requests = SlidingWindow(self.behaviour.requests_per_minute)
        self._tokens = SlidingWindow(self.behaviour.tokens_per_minute)

    def admit(self, tokens: int, *, now: float) -> float:
        """Count a call that may take `tokens`: 0.0 if it is let in, else the seconds to wait."""
        self._calls.add(1, now=now)
        self.ledger.calls += 1
        self.ledger.peak_per_minute = max(self.ledger.peak_per_minute, self._calls.total)
        wait = max(self._requests.wait_s(1, now=now), self._tokens.wait_s(tokens, now=now))
        if wait > 0:
            self.ledger.violations += 1
            return wait
        self._requests.add(1, now=now)
        self._tokens.add(tokens, now=now)
        return 0.0
