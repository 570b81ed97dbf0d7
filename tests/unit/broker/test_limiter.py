"""The limiter's arithmetic: no window over the limit, nearly all of it used, whatever the arrivals are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.limiter import Pace
from linkner.errors import ConfigurationError
from tests.fakes.limiter import MICROS, FakeClock, FakeLimiter

MINUTE = 60 * MICROS

limits = st.integers(min_value=1, max_value=300)
# Gaps between calls, from a storm to a lull that lets the key expire.
gaps = st.lists(
    st.one_of(st.integers(0, 50_000), st.integers(0, 3 * MICROS), st.integers(0, 4 * MINUTE)),
    min_size=1,
    max_size=200,
)


def fullest_minute(times: Iterable[int]) -> int:
    """Most events in any half-open window of a minute, in microseconds."""
    ordered = sorted(times)
    return max(
        (bisect_left(ordered, start + MINUTE) - first for first, start in enumerate(ordered)), default=0
    )


def permits(limiter: FakeLimiter, arrivals: Iterable[int], *, patient: bool) -> list[int]:
    """When each arrival goes, callers being served in order; the impatient ones do not come back."""
    times = []
    for arrival in arrivals:
        limiter.clock.now = max(limiter.clock.now, arrival)
        while (wait := limiter.reserve()) and patient:
            limiter.clock.advance(wait)
        if not wait:
            times.append(limiter.clock.now)
    return times


def arrivals_of(gaps: list[int], *, repeat: int = 1) -> list[int]:
    now, times = FakeClock().now, []
    for gap in gaps * repeat:
        now += gap
        times.append(now)
    return times


@given(limit=limits, gaps=gaps, patient=st.booleans())
def test_no_minute_holds_more_permits_than_the_limit(limit: int, gaps: list[int], patient: bool) -> None:
    arrivals = arrivals_of(gaps, repeat=1 + limit // len(gaps))
    times = permits(FakeLimiter(FakeClock(), limit), arrivals, patient=patient)
    assert fullest_minute(times) <= limit


@pytest.mark.parametrize("limit", [20, 50, 100, 1_000])
def test_a_storm_after_a_lull_stays_within_the_limit(limit: int) -> None:
    start = FakeClock().now
    lull = start + 5 * MICROS  # long enough for the whole burst, too short for the key to expire
    times = permits(FakeLimiter(FakeClock(), limit), [start] + [lull] * (2 * limit), patient=True)
    assert fullest_minute(times) <= limit
    assert times[1] == lull


@given(limit=limits, seed=st.integers(0, 1_000))
def test_calls_that_arrive_up_to_a_second_late_stay_within_the_limit(limit: int, seed: int) -> None:
    random = Random(seed)
    times = permits(FakeLimiter(FakeClock(), limit), [0] * (3 * limit), patient=True)
    assert fullest_minute(time + random.randrange(MICROS) for time in times) <= limit


@given(limit=limits, lost=st.lists(st.integers(0, 200), min_size=1, max_size=3, unique=True))
def test_losing_the_state_adds_at_most_one_permit_to_a_window_for_each_loss(
    limit: int, lost: list[int]
) -> None:
    limiter = FakeLimiter(FakeClock(), limit)
    times = []
    for index in range(250):
        if index in lost:
            limiter.keys.clear()
        times += permits(limiter, [0], patient=True)
    assert fullest_minute(times) <= limit + len(lost)


@given(limit=limits, back=st.integers(1, 10 * MINUTE))
def test_a_clock_set_back_stalls_nobody(limit: int, back: int) -> None:
    limiter = FakeLimiter(FakeClock(), limit)
    permits(limiter, [0] * 5, patient=True)
    limiter.clock.now -= back
    pace = Pace.of_requests(limit)
    assert limiter.reserve() * MICROS <= pace.interval + 1


@pytest.mark.parametrize("limit", [1, 10, 60, 600, 6_000])
def test_steady_callers_get_nearly_the_whole_limit(limit: int) -> None:
    limiter = FakeLimiter(FakeClock(), limit)
    start = limiter.clock.now
    times = permits(limiter, [0] * (3 * limit + 1), patient=True)
    assert len(times) - 1 >= 0.96 * limit * (times[-1] - start) / MINUTE


@pytest.mark.parametrize("limit", [60, 600, 6_000])
def test_callers_that_wake_late_lose_nothing(limit: int) -> None:
    limiter, random = FakeLimiter(FakeClock(), limit), Random(7)
    start, times = limiter.clock.now, []
    while len(times) < 2 * limit:
        if wait := limiter.reserve():
            limiter.clock.advance(wait + random.uniform(0.0, 0.5))
        else:
            times.append(limiter.clock.now)
    assert len(times) >= 0.95 * limit * (times[-1] - start) / MINUTE
    assert fullest_minute(times) <= limit


def test_without_the_limiter_the_same_calls_break_the_limit() -> None:
    arrivals = arrivals_of([MINUTE // 20], repeat=40)
    assert fullest_minute(arrivals) > 10
    assert fullest_minute(permits(FakeLimiter(FakeClock(), 10), arrivals, patient=True)) <= 10


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        Pace.of_requests(limit)
