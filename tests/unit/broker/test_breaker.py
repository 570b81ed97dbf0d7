"""The circuit breaker of an endpoint: what opens it, who may probe, what closes it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from broker.limits import Demand, Limits, Permit, Refusal, Result, Said
from tests.fakes.limiter import FakeClock, FakeLimiter

ONE = Demand(prompt_tokens=90, max_tokens=10)


def limiter() -> FakeLimiter:
    return FakeLimiter(FakeClock(), Limits(), lease_s=40.0)


def permit(of: FakeLimiter) -> Permit:
    found = of.reserve(ONE, max_wait_s=0.0)
    assert isinstance(found, Permit)
    return found


def refusal(of: FakeLimiter) -> Refusal:
    found = of.reserve(ONE, max_wait_s=0.0)
    assert isinstance(found, Refusal)
    assert found.reason == "breaker"
    return found


def report(of: FakeLimiter, outcomes: Iterable[str], *, every_s: float = 0.1) -> None:
    for outcome in outcomes:
        of.settle(permit(of), Result(outcome=outcome))
        of.clock.advance(every_s)


def opened() -> FakeLimiter:
    """Open for a second."""
    found = limiter()
    found.settle(permit(found), Result(outcome="later", said=Said(pause_s=0.2)))
    return found


@pytest.mark.parametrize(("pause_s", "wait_s"), [(None, 1.0), (0.2, 1.0), (7.5, 7.5), (1e9, 600.0)])
def test_one_call_told_to_come_later_opens_it_for_as_long_as_was_said_within_bounds(
    pause_s: float | None, wait_s: float
) -> None:
    told = limiter()
    told.settle(permit(told), Result(outcome="later", said=Said(pause_s=pause_s)))
    assert refusal(told).wait_s == wait_s


def test_five_failures_in_a_row_open_it() -> None:
    failing = limiter()
    report(failing, ["failed"] * 5, every_s=0.0)
    assert refusal(failing).wait_s == 1.0


def test_failures_among_twice_as_many_answers_do_not_open_it() -> None:
    mixed = limiter()
    report(mixed, ["answered", "answered", "failed"] * 100)
    permit(mixed)


def test_as_many_failures_as_answers_open_it() -> None:
    mixed = limiter()
    with pytest.raises(AssertionError):
        report(mixed, ["failed", "answered"] * 100)
    refusal(mixed)


def test_failures_long_ago_do_not_count() -> None:
    slow = limiter()
    report(slow, ["failed"] * 20, every_s=60.0)
    permit(slow)


def test_after_the_pause_one_call_probes_and_the_others_wait() -> None:
    probing = opened()
    probing.clock.advance(1.0)
    permit(probing)
    assert [refusal(probing).wait_s for _ in range(3)] == [1.0] * 3


def test_a_probe_that_is_answered_closes_it_for_all() -> None:
    probing = opened()
    probing.clock.advance(1.0)
    report(probing, ["answered"])
    report(probing, ["answered", "failed", "failed", "answered"])


@pytest.mark.parametrize("outcome", ["failed", "later"])
def test_a_probe_that_fails_opens_it_again_for_longer_up_to_a_minute(outcome: str) -> None:
    probing, waits = opened(), []
    for _ in range(8):
        waits.append(refusal(probing).wait_s)
        probing.clock.advance(waits[-1])
        probing.settle(permit(probing), Result(outcome=outcome))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_calls_from_before_it_opened_neither_close_it_nor_open_it_for_longer_unless_they_were_told() -> None:
    found = limiter()
    earlier = [permit(found) for _ in range(30)]
    found.settle(earlier.pop(), Result(outcome="later", said=Said(pause_s=5.0)))
    for _ in range(20):
        found.settle(earlier.pop(), Result(outcome="failed"))
    found.settle(earlier.pop(), Result(outcome="answered"))
    assert refusal(found).wait_s == 5.0
    found.settle(earlier.pop(), Result(outcome="later", said=Said(pause_s=9.0)))
    assert refusal(found).wait_s == 9.0


def test_where_the_prober_dies_the_next_one_probes_when_its_permit_has_lapsed() -> None:
    probing = opened()
    probing.clock.advance(1.0)
    permit(probing)
    probing.clock.advance(39.5)
    assert refusal(probing).wait_s == 0.5
    probing.clock.advance(0.5)
    permit(probing)


@pytest.mark.parametrize(("reported", "asked"), [(True, 6 + 3), (False, 1_000)])
def test_of_a_thousand_callers_of_a_dead_endpoint_few_ask_it_and_without_the_breaker_all(
    reported: bool, asked: int
) -> None:
    found, calls = limiter(), 0
    for _ in range(1_000):
        answer = found.reserve(ONE, max_wait_s=0.0)
        if isinstance(answer, Permit):
            calls += 1
            found.settle(answer, Result(outcome="failed" if reported else "answered"))
        found.clock.advance(0.01)
    assert calls == asked


def test_a_probe_that_was_not_made_leaves_its_place_to_another() -> None:
    found = opened()
    found.clock.advance(1.5)
    first = permit(found)
    refusal(found)
    found.settle(first, Result(outcome="unused"))
    second = permit(found)
    refusal(found)
    found.settle(second, Result(outcome="answered"))
    permit(found)
