"""The simulated endpoint's latencies and faults, on a clock and a seed of the test's own."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import median, quantiles

import pytest

from linkner.errors import ConfigurationError
from workers.simulate_llm.behaviour import Behaviour


def test_latency_has_the_median_and_the_percentile_asked_for() -> None:
    behaviour, random = Behaviour(latency_median_s=0.4, latency_p99_s=2.0), Random(1)
    draws = [behaviour.latency_s(random) for _ in range(20_000)]
    assert median(draws) == pytest.approx(0.4, rel=0.05)
    assert quantiles(draws, n=100)[98] == pytest.approx(2.0, rel=0.1)


def test_latency_without_a_percentile_is_the_median() -> None:
    assert Behaviour(latency_median_s=0.4).latency_s(Random(1)) == 0.4


def test_faults_come_at_their_rates_and_in_the_same_order_for_the_same_seed() -> None:
    behaviour = Behaviour(error_rate=0.1, malformed_rate=0.2, drip_rate=0.3)
    random, again = Random(3), Random(3)
    faults = [behaviour.fault(random) for _ in range(20_000)]
    assert faults == [behaviour.fault(again) for _ in range(20_000)]
    shares = {fault: count / len(faults) for fault, count in Counter(faults).items()}
    assert shares == pytest.approx({"error": 0.1, "malformed": 0.2, "drip": 0.3, None: 0.4}, abs=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"error_rate": -0.1},
        {"error_rate": 0.6, "drip_rate": 0.6},
        {"latency_median_s": -1.0},
        {"latency_median_s": 2.0, "latency_p99_s": 1.0},
        {"requests_per_minute": -1},
        {"drip_s": 0.0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="out of range"):
        Behaviour(**options)
