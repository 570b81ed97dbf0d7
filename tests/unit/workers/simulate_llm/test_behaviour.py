"""The simulated endpoint's limits, latencies and faults, on a clock and a seed of the test's own."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.errors import ConfigurationError
from workers.simulate_llm.behaviour import WINDOW_S, Admission, Behaviour


def admitted(admission: Admission, calls: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now, found = 0.0, []
    for gap, tokens in calls:
        now += gap
        if admission.admit(tokens, now=now) == 0.0:
            found.append((now, tokens))
    return found


calls = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=100)


@given(calls=calls, requests=st.integers(1, 10), tokens=st.integers(1, 200))
def test_no_window_holds_more_than_either_limit(calls: list, requests: int, tokens: int) -> None:
    behaviour = Behaviour(requests_per_minute=requests, tokens_per_minute=tokens)
    found = admitted(Admission(behaviour), calls)
    for start, _ in found:
        window = [amount for time, amount in found if start <= time < start + WINDOW_S]
        assert len(window) <= requests
        assert sum(window) <= tokens


@given(calls=calls, requests=st.integers(1, 10))
def test_a_call_refused_goes_after_the_wait_it_was_told_and_not_before(calls: list, requests: int) -> None:
    admission = Admission(Behaviour(requests_per_minute=requests))
    found = admitted(admission, calls)
    now = sum(gap for gap, _ in calls)
    if wait := admission.admit(1, now=now):
        assert sum(time > now + 0.9 * wait - WINDOW_S for time, _ in found) >= requests
        assert admission.admit(1, now=now + wait + 0.001) == 0.0


def test_the_ledger_counts_calls_violations_and_the_fullest_minute() -> None:
    admission = Admission(Behaviour(requests_per_minute=2))
    admitted(admission, [(0.0, 1), (1.0, 1), (1.0, 1), (70.0, 1)])
    ledger = admission.ledger
    assert (ledger.calls, ledger.violations, ledger.peak_per_minute) == (4, 1, 3)


def test_without_limits_nothing_waits() -> None:
    assert len(admitted(Admission(Behaviour()), [(0.0, 10_000)] * 500)) == 500


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
