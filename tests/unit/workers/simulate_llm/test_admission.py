"""The simulated endpoint's limits, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.simulate_llm.admission import WINDOW_S, Admission, Admitted


def admitted(admission: Admission, calls: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now, found = 0.0, []
    for gap, tokens in calls:
        now += gap
        if isinstance(admission.admit(tokens, now=now), Admitted):
            found.append((now, tokens))
    return found


calls = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=100)


@given(calls=calls, requests=st.integers(1, 10), tokens=st.integers(1, 200))
def test_no_window_holds_more_than_either_limit(calls: list, requests: int, tokens: int) -> None:
    found = admitted(Admission(requests_per_minute=requests, tokens_per_minute=tokens), calls)
    for start, _ in found:
        window = [amount for time, amount in found if start <= time < start + WINDOW_S]
        assert len(window) <= requests
        assert sum(window) <= tokens


@given(calls=calls, requests=st.integers(1, 10))
def test_a_call_refused_goes_after_the_wait_it_was_told_and_not_before(calls: list, requests: int) -> None:
    admission = Admission(requests_per_minute=requests)
    found = admitted(admission, calls)
    now = sum(gap for gap, _ in calls)
    wait = admission.admit(1, now=now)
    if isinstance(wait, float):
        assert sum(time > now + wait - 0.001 - WINDOW_S for time, _ in found) >= requests
        assert isinstance(admission.admit(1, now=now + wait + 0.001), Admitted)


def test_calls_violations_and_the_fullest_minute_are_counted() -> None:
    admission = Admission(requests_per_minute=2)
    admitted(admission, [(0.0, 1), (1.0, 1), (1.0, 1), (70.0, 1)])
    counts = admission.counts
    assert (counts.calls, counts.violations) == (4, 1)
    assert (counts.peak_per_minute, counts.peak_admitted_per_minute) == (3, 2)


def test_without_limits_nothing_waits() -> None:
    assert len(admitted(Admission(), [(0.0, 10_000)] * 500)) == 500


@pytest.mark.parametrize(("charge", "fits"), [("used", True), ("asked", False)])
def test_tokens_that_were_not_used_are_given_back_unless_what_is_asked_counts(charge, fits) -> None:
    admission = Admission(tokens_per_minute=100, charge=charge)
    first = admission.admit(90, now=0.0)
    assert isinstance(first, Admitted)
    assert admission.settle(first, 40, now=5.0) == (40 if fits else 90)
    assert isinstance(admission.admit(60, now=5.0), Admitted) is fits


def test_what_is_used_counts_from_when_the_call_was_let_in() -> None:
    admission = Admission(tokens_per_minute=100)
    first = admission.admit(10, now=0.0)
    assert isinstance(first, Admitted)
    admission.settle(first, 100, now=50.0)
    assert admission.admit(1, now=50.0) == pytest.approx(10.0)
    admission.settle(first, 40, now=70.0)
    assert isinstance(admission.admit(100, now=70.0), Admitted), "what left the window counts no more"
