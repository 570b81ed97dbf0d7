"""The limiter's decisions: no window over a limit, nearly all of it used, whatever comes and when."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.limits import LATENESS_S, MICROS, Demand, Limits, Permit, Refusal, Result, Said
from linkner.errors import ConfigurationError
from tests.fakes.limiter import FakeClock, FakeLimiter, Shared

MINUTE = 60 * MICROS
LATENESS = round(LATENESS_S * MICROS)
ONE = Demand(prompt_tokens=90, max_tokens=10)


def limiter_with(*, lease_s: float = 60.0, **limits: int | Decimal) -> FakeLimiter:
    return FakeLimiter(FakeClock(), Limits(**limits), lease_s=lease_s)


@dataclass(order=True)
class Call:
    """A call as the endpoint sees it: what it counts for, from its arrival on."""

    at: int
    tokens: int = field(compare=False)


def fullest(calls: Iterable[Call], amount: Callable[[Call], int] = lambda call: 1) -> int:
    """The most in any half-open window of a minute."""
    ordered, most, total, first = sorted(calls), 0, 0, 0
    for call in ordered:
        total += amount(call)
        while ordered[first].at <= call.at - MINUTE:
            total -= amount(ordered[first])
            first += 1
        most = max(most, total)
    return most


def slots(
    limiter: FakeLimiter, random: Random, *, slots: int, until_s: float, latency_s: Callable[[], float]
) -> Iterator[Call]:
    """Calls of slots that always have a next question; each gives back what its answer did not need.

    A call arrives up to LATENESS later than its permit says. What is yielded changes when it is settled.
    """
    clock, end = limiter.clock, limiter.clock.now + round(until_s * MICROS)
    due: list[tuple[int, int, Permit | None, Call | None]] = [
        (clock.now, number, None, None) for number in range(slots)
    ]
    while due[0][0] < end:
        clock.now, number, permit, call = heapq.heappop(due)
        if permit is not None and call is not None:
            call.tokens = permit.demand.prompt_tokens + random.randint(1, permit.demand.max_tokens)
            limiter.settle(permit, Result(outcome="answered", tokens=call.tokens))
        found = limiter.reserve(
            Demand(prompt_tokens=random.randint(50, 150), max_tokens=random.choice([8, 64])), max_wait_s=2.0
        )
        back = clock.now + round(found.wait_s * MICROS) + 1
        if isinstance(found, Refusal):
            heapq.heappush(due, (back, number, None, None))
            continue
        call = Call(back + random.randrange(LATENESS), found.demand.tokens)
        yield call
        heapq.heappush(due, (call.at + round(latency_s() * MICROS), number, found, call))


# Gaps between calls, from a storm to a lull that lets the whole burst come back.
gaps = st.lists(
    st.one_of(st.integers(0, 50_000), st.integers(0, 3 * MICROS), st.integers(0, 4 * MINUTE)),
    min_size=1,
    max_size=100,
)


@settings(deadline=None)
@given(limit=st.integers(1, 300), gaps=gaps, seed=st.integers(0, 999), max_wait_s=st.sampled_from([0, 2, 90]))
def test_no_minute_holds_more_requests_than_the_limit(
    limit: int, gaps: list[int], seed: int, max_wait_s: float
) -> None:
    limiter, random, calls = limiter_with(requests_per_minute=limit), Random(seed), []
    for gap in gaps * (1 + 2 * limit // len(gaps)):
        limiter.clock.now += gap
        found = limiter.reserve(ONE, max_wait_s=max_wait_s)
        if isinstance(found, Permit):
            late = random.randrange(LATENESS)
            calls.append(Call(limiter.clock.now + round(found.wait_s * MICROS) + late, 1))
    assert fullest(calls) <= limit


@settings(deadline=None, max_examples=50)
@given(
    limit=st.integers(500, 5_000),
    seed=st.integers(0, 999),
    latency_s=st.sampled_from([0.0, 0.5, 10.0, 59.0]),
    lulls=st.lists(st.floats(0, 120), max_size=2),
)
def test_no_minute_holds_more_tokens_than_the_limit_though_calls_give_back_what_they_did_not_take(
    limit: int, seed: int, latency_s: float, lulls: list[float]
) -> None:
    """An endpoint that counts what was asked for, and corrects it when the call ends."""
    limiter, random, calls = limiter_with(tokens_per_minute=limit), Random(seed), []
    for lull in [*lulls, 0.0]:
        for call in slots(limiter, random, slots=30, until_s=90.0, latency_s=lambda: latency_s):
            calls.append(call)
            assert fullest(calls[-2 * limit // 50 :], lambda call: call.tokens) <= limit
        limiter.clock.advance(lull)


@pytest.mark.parametrize(
    ("binding", "limit"), [("requests_per_minute", 3_000), ("tokens_per_minute", 300_000)]
)
def test_busy_callers_use_97_percent_of_every_minute(binding: str, limit: int) -> None:
    limiter, random = limiter_with(**{binding: limit}), Random(5)
    calls = list(
        slots(
            limiter, random, slots=128, until_s=200.0, latency_s=lambda: 0.8 * 2.718 ** random.gauss(0, 0.866)
        )
    )
    start = limiter.clock.now - 200 * MICROS
    for window in range(5, 135):
        first = start + window * MICROS
        held = [call for call in calls if first <= call.at < first + MINUTE]
        used = len(held) if binding == "requests_per_minute" else sum(call.tokens for call in held)
        assert 0.97 * limit <= used <= limit


def test_a_call_larger_than_the_burst_goes_once_in_its_own_time() -> None:
    limiter = limiter_with(tokens_per_minute=1_000)
    large = Demand(prompt_tokens=500, max_tokens=0)
    first, second = (limiter.reserve(large, max_wait_s=90.0) for _ in range(2))
    assert first.wait_s == 0.0
    assert second.wait_s == pytest.approx(30.5, abs=0.1)


def test_a_refusal_takes_nothing_from_any_limit() -> None:
    limiter = limiter_with(requests_per_minute=600, tokens_per_minute=101, money_per_hour=Decimal(1))
    limiter.reserve(ONE, max_wait_s=0.0)
    before = dict(limiter.shared.buckets), dict(limiter.shared.spent), set(limiter.shared.in_flight)
    assert [limiter.reserve(ONE, max_wait_s=2.0).reason for _ in range(3)] == ["tokens"] * 3
    assert (limiter.shared.buckets, limiter.shared.spent, set(limiter.shared.in_flight)) == before


def test_who_must_wait_long_is_told_to_come_back_one_after_another() -> None:
    limiter = limiter_with(requests_per_minute=60)
    found = [limiter.reserve(ONE, max_wait_s=2.0) for _ in range(12)]
    waits = [refusal.wait_s for refusal in found if isinstance(refusal, Refusal)]
    assert len(waits) == 10
    assert [round(late - early, 2) for early, late in pairwise(waits)] == [1.02] * 9
    limiter.clock.advance(waits[0])
    assert isinstance(limiter.reserve(ONE, max_wait_s=2.0), Permit)


@settings(deadline=None)
@given(limit=st.integers(1, 300), lost=st.lists(st.integers(0, 200), min_size=1, max_size=3, unique=True))
def test_losing_the_state_adds_at_most_one_call_to_a_minute_for_each_loss(
    limit: int, lost: list[int]
) -> None:
    limiter, calls = limiter_with(requests_per_minute=limit), []
    for index in range(250):
        if index in lost:
            limiter.shared.lose()
        found = limiter.reserve(ONE, max_wait_s=90.0)
        limiter.clock.advance(found.wait_s)
        calls.append(Call(limiter.clock.now, 1))
    assert fullest(calls) <= limit + len(lost)


@given(limit=st.integers(1, 300), back_s=st.integers(1, 36_000))
def test_a_clock_set_back_stalls_nobody_for_much_longer_than_a_window(limit: int, back_s: int) -> None:
    limiter = limiter_with(requests_per_minute=limit)
    limiter.reserve(ONE, max_wait_s=0.0)
    limiter.clock.advance(-back_s)
    assert limiter.reserve(ONE, max_wait_s=0.0).wait_s <= 122.0


@settings(deadline=None, max_examples=30)
@given(high=st.integers(60, 600), seed=st.integers(0, 99))
def test_a_limit_that_is_changed_holds_at_once_and_forgets_nothing(high: int, seed: int) -> None:
    limiter, random, low = limiter_with(requests_per_minute=high), Random(seed), high // 3
    before = list(slots(limiter, random, slots=20, until_s=90.0, latency_s=lambda: 0.1))
    limiter.shared.overrides["requests_per_minute"] = low
    changed_at = limiter.clock.now
    after = list(slots(limiter, random, slots=20, until_s=90.0, latency_s=lambda: 0.1))
    assert fullest(call for call in after if call.at > changed_at + LATENESS) <= low
    assert fullest(before + after) <= high
    limiter.shared.overrides["requests_per_minute"] = 600 * high
    assert limiter.reserve(ONE, max_wait_s=0.0).wait_s == 0.0


@given(amounts=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3_000)), max_size=80))
def test_no_hour_and_no_day_spends_more_than_its_budget(amounts: list[tuple[int, int]]) -> None:
    limiter = limiter_with(money_per_hour=Decimal(100), money_per_day=Decimal(250))
    spent: dict[tuple[str, int], Decimal] = {}
    for cents, pause_s in amounts:
        demand = Demand(prompt_tokens=1, max_tokens=1, money=Decimal(cents))
        found = limiter.reserve(demand, max_wait_s=0.0)
        at = limiter.clock.now // MICROS
        limiter.clock.advance(pause_s)
        if isinstance(found, Refusal):
            period = 3600 if found.reason == "money_per_hour" else 86_400
            assert found.reason == "money_reserved" or (at + found.wait_s) % period == 0
            continue
        used = demand.money / 2
        limiter.settle(found, Result(outcome="answered", money=used))
        for period in (("hour", at // 3600), ("day", at // 86_400)):
            spent[period] = spent.get(period, Decimal(0)) + used
    assert all(amount <= (100 if period == "hour" else 250) for (period, _), amount in spent.items())


def test_money_that_was_not_needed_can_be_spent_again_in_the_same_hour_but_not_in_the_next() -> None:
    limiter = limiter_with(money_per_hour=Decimal(10))
    demand = Demand(prompt_tokens=1, max_tokens=1, money=Decimal(6))
    first = limiter.reserve(demand, max_wait_s=0.0)
    assert limiter.reserve(demand, max_wait_s=0.0).reason == "money_reserved"
    limiter.settle(first, Result(outcome="answered", money=Decimal(1)))
    second = limiter.reserve(demand, max_wait_s=0.0)
    limiter.clock.now = (limiter.clock.now // (3600 * MICROS) + 1) * 3600 * MICROS
    third = limiter.reserve(demand, max_wait_s=0.0)
    limiter.settle(second, Result(outcome="answered", money=Decimal(1)))
    assert limiter.reserve(demand, max_wait_s=0.0).reason == "money_reserved"
    limiter.settle(third, Result(outcome="answered", money=Decimal(1)))
    assert isinstance(limiter.reserve(demand, max_wait_s=0.0), Permit)


def test_calls_in_flight_are_limited_and_permits_of_dead_holders_lapse() -> None:
    limiter = limiter_with(in_flight=2, lease_s=40.0)
    first = limiter.reserve(ONE, max_wait_s=0.0)
    limiter.reserve(ONE, max_wait_s=0.0)
    assert limiter.reserve(ONE, max_wait_s=0.0).reason == "in_flight"
    limiter.settle(first, Result(outcome="answered"))
    limiter.settle(first, Result(outcome="answered"))
    assert isinstance(limiter.reserve(ONE, max_wait_s=0.0), Permit)
    assert limiter.reserve(ONE, max_wait_s=0.0).reason == "in_flight"
    limiter.clock.advance(40.0)
    assert isinstance(limiter.reserve(ONE, max_wait_s=0.0), Permit)


def test_a_permit_settled_twice_gives_back_once() -> None:
    limiter = limiter_with(tokens_per_minute=40_000)
    found = limiter.reserve(Demand(prompt_tokens=100, max_tokens=100), max_wait_s=0.0)
    limiter.settle(found, Result(outcome="answered", tokens=100))
    once = limiter.shared.buckets["tokens"]
    limiter.settle(found, Result(outcome="answered", tokens=100))
    assert limiter.shared.buckets["tokens"] == once


def test_what_the_endpoint_says_of_its_limits_lowers_ours_and_never_raises_them() -> None:
    limiter = limiter_with(requests_per_minute=600)
    settle_saying(limiter, Said(requests_per_minute=6_000))
    assert pace_of(limiter) == pytest.approx(600, rel=0.03)
    settle_saying(limiter, Said(requests_per_minute=60))
    assert pace_of(limiter) == pytest.approx(60, rel=0.03)
    limiter.clock.advance(61.0)
    assert pace_of(limiter) == pytest.approx(600, rel=0.03)


def test_a_limit_that_only_the_endpoint_knows_holds_too() -> None:
    limiter = limiter_with()
    settle_saying(limiter, Said(tokens_per_minute=6_000))
    found = [limiter.reserve(ONE, max_wait_s=90.0) for _ in range(3)]
    assert found[2].wait_s == pytest.approx(2.0, abs=0.1)


def test_a_pause_that_comes_with_an_answer_holds_everybody_and_is_no_trip() -> None:
    limiter = limiter_with()
    settle_saying(limiter, Said(pause_s=7.0))
    assert limiter.reserve(ONE, max_wait_s=2.0) == Refusal(7.0, "hold")
    limiter.clock.advance(7.0)
    assert [type(limiter.reserve(ONE, max_wait_s=0.0)) for _ in range(2)] == [Permit, Permit]


def settle_saying(limiter: FakeLimiter, said: Said) -> None:
    limiter.settle(limiter.reserve(ONE, max_wait_s=90.0), Result(outcome="answered", said=said))


def pace_of(limiter: FakeLimiter) -> float:
    """Calls a minute, once the burst is used up."""
    waits = [limiter.reserve(ONE, max_wait_s=90.0).wait_s for _ in range(10)]
    return 60 / (waits[-1] - waits[-2])


def test_without_the_limiter_the_same_calls_break_the_limit() -> None:
    random, free = Random(1), limiter_with()
    calls = list(slots(free, random, slots=20, until_s=90.0, latency_s=lambda: 1.0))
    assert fullest(calls) > 60
    limited = limiter_with(requests_per_minute=60)
    assert fullest(slots(limited, random, slots=20, until_s=90.0, latency_s=lambda: 1.0)) <= 60


@pytest.mark.parametrize(
    "limits", [{"requests_per_minute": -5}, {"money_per_day": Decimal("NaN")}, {"in_flight": -1}]
)
def test_limits_that_are_none_are_refused(limits: dict[str, int | Decimal]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(limits))):
        Limits(**limits)


def test_limiters_of_the_same_endpoint_share_everything() -> None:
    shared, clock = Shared(), FakeClock()
    first, second = (FakeLimiter(clock, Limits(in_flight=1), shared=shared) for _ in range(2))
    first.reserve(ONE, max_wait_s=0.0)
    assert second.reserve(ONE, max_wait_s=0.0).reason == "in_flight"
