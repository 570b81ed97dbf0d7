"""How the replayed endpoint behaves: its latency, its limits and its faults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Literal

from linkner.errors import ConfigurationError
from workers.simulate_llm.quota import QuotaHeaders

_Z99 = 2.3263478740408408
"""The standard normal's 99th percentile."""

Fault = Literal["error", "malformed", "drip"]
DownAs = Literal["500", "429", "hang"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The options. Limits of 0 mean no limit; rates are shares of the calls, in [0, 1].

    Latency is log-normal with the given median and 99th percentile (s). A dripping reply comes byte by
    byte, spread evenly over `drip_s`. A batch ends after `batch_s`; of its requests a share of
    `batch_expire_rate` is then not done. `refuse_schemas` refuses requests for structured outputs.

    From `down_from_s` after the start, for `down_for_s`, every call fails: with a status, or it hangs.
    `quota_headers` is what replies say of the limits; `charge` which tokens count against theirs.

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
    down_from_s: float = 0.0
    down_for_s: float = 0.0
    down_as: DownAs = "500"
    quota_headers: QuotaHeaders = "retry-after"
    charge: Literal["used", "asked"] = "used"
    seed: int = 0

    def __post_init__(self) -> None:
        rates = (self.error_rate, self.malformed_rate, self.drip_rate)
        if min(rates) < 0 or sum(rates) > 1 or not 0 <= self.batch_expire_rate <= 1:
            raise ConfigurationError(
                "the fault rates are out of range", expected="shares that sum to at most 1"
            )
        if self.latency_median_s < 0 or 0 < self.latency_p99_s < self.latency_median_s:
            raise ConfigurationError("the latency is out of range", expected="0 <= median <= 99th percentile")
        times = (self.batch_s, self.down_from_s, self.down_for_s)
        if min(self.requests_per_minute, self.tokens_per_minute, *times) < 0 or self.drip_s <= 0:
            raise ConfigurationError("a limit or a time is out of range", expected="no negative numbers")

    def latency_s(self, random: Random) -> float:
        """One draw of the latency; without a 99th percentile it is always the median."""
        if not self.latency_p99_s or not self.latency_median_s:
            return self.latency_median_s
        sigma = math.log(self.latency_p99_s / self.latency_median_s) / _Z99
        return self.latency_median_s * math.exp(random.gauss(0.0, sigma))

    def is_down(self, since_start_s: float) -> bool:
        """Whether every call fails at this time."""
        return self.down_from_s <= since_start_s < self.down_from_s + self.down_for_s

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
