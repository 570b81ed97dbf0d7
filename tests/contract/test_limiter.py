"""ports.Limiter: one body over the fake and over the scripts in a real Redis, and both compared."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.limiter import RedisLimiter
from broker.limits import MICROS, Demand, Limits, Permit, Refusal, Result, Said
from broker.redis_client import connect
from tests.fakes.limiter import FakeClock, FakeLimiter, Shared
from workers.ports import Limiter

ONE = Demand(prompt_tokens=90, max_tokens=10, money=Decimal("0.001"))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@dataclass(frozen=True)
class World:
    """Where limiters live: how to make one, how time passes, and how the state gets lost."""

    limiter: Callable[..., Limiter]
    advance: Callable[[float], None]
    lose: Callable[[], object]


@pytest.fixture(params=["fake", "redis"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        clock, endpoints = FakeClock(), {}

        def fake(endpoint: str = "a", **limits: int | Decimal) -> Limiter:
            return FakeLimiter(clock, Limits(**limits), 40.0, endpoints.setdefault(endpoint, Shared()))

        return World(fake, clock.advance, lambda: endpoints["a"].lose())
    client, prefix = request.getfixturevalue("client"), request.getfixturevalue("redis_prefix")

    def real(endpoint: str = "a", **limits: int | Decimal) -> Limiter:
        return RedisLimiter(client, prefix=prefix + endpoint, limits=Limits(**limits), lease_s=40.0)

    return World(real, time.sleep, lambda: client.delete(*client.keys(f"{{{prefix}a*")))


def test_calls_get_times_to_start_at_one_after_another(world: World) -> None:
    limiter = world.limiter(requests_per_minute=600)
    waits = [limiter.reserve(ONE, max_wait_s=60.0).wait_s for _ in range(4)]
    assert waits[0] == 0.0
    assert waits[1:] == pytest.approx([0.1, 0.2, 0.3], abs=0.05)


def test_who_would_wait_too_long_gets_nothing_and_goes_when_told(world: World) -> None:
    limiter = world.limiter(requests_per_minute=600)
    limiter.reserve(ONE, max_wait_s=0.0)
    refusal = limiter.reserve(ONE, max_wait_s=0.0)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "requests"
    world.advance(refusal.wait_s + 0.001)
    assert isinstance(limiter.reserve(ONE, max_wait_s=0.0), Permit)


def test_callers_of_one_endpoint_share_its_limits_and_endpoints_do_not(world: World) -> None:
    assert isinstance(world.limiter(in_flight=1).reserve(ONE, max_wait_s=0.0), Permit)
    assert isinstance(world.limiter(in_flight=1).reserve(ONE, max_wait_s=0.0), Refusal)
    assert isinstance(world.limiter("b", in_flight=1).reserve(ONE, max_wait_s=0.0), Permit)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"requests_per_minute": 1}, "requests"),
        ({"tokens_per_minute": 150}, "tokens"),
        ({"in_flight": 1}, "in_flight"),
        ({"money_per_hour": Decimal("0.0015")}, "money_per_hour"),
        ({"money_per_day": Decimal("0.0015")}, "money_per_day"),
    ],
)
def test_each_limit_refuses_by_its_own_name_and_a_settled_call_gives_back(
    world: World, limit: dict[str, int | Decimal], reason: str
) -> None:
    limiter = world.limiter(**limit)
    permit = limiter.reserve(ONE, max_wait_s=0.0)
    in_flight = "money_reserved" if reason.startswith("money") else reason
    assert limiter.reserve(ONE, max_wait_s=0.0).reason == in_flight
    limiter.settle(permit, Result(outcome="answered", tokens=0, money=Decimal(0)))
    gone = isinstance(limiter.reserve(ONE, max_wait_s=0.01), Permit)
    assert gone == (reason != "requests")


@pytest.mark.parametrize("period", ["hour", "day"])
def test_money_is_spent_for_good_once_no_call_in_flight_can_give_any_back(world: World, period: str) -> None:
    limiter = world.limiter(**{f"money_per_{period}": Decimal("0.0015")})
    permit = limiter.reserve(ONE, max_wait_s=0.0)
    soon = limiter.reserve(ONE, max_wait_s=0.0)
    limiter.settle(permit, Result(outcome="answered"))
    late = limiter.reserve(ONE, max_wait_s=0.0)
    assert (soon.reason, late.reason) == ("money_reserved", f"money_per_{period}")
    assert soon.wait_s == 1.0


def test_losing_the_state_gives_one_permit_and_no_burst(world: World) -> None:
    limiter = world.limiter(requests_per_minute=600)
    limiter.reserve(ONE, max_wait_s=0.0)
    world.lose()
    assert isinstance(limiter.reserve(ONE, max_wait_s=0.0), Permit)
    assert isinstance(limiter.reserve(ONE, max_wait_s=0.0), Refusal)


def test_a_call_told_to_come_later_closes_the_door_for_all_until_a_probe_succeeds(world: World) -> None:
    limiter = world.limiter()
    permit = limiter.reserve(ONE, max_wait_s=0.0)
    limiter.settle(permit, Result(outcome="later", said=Said(pause_s=1.2)))
    refusal = limiter.reserve(ONE, max_wait_s=0.0)
    assert (refusal.reason, refusal.wait_s) == ("breaker", pytest.approx(1.2, abs=0.1))
    world.advance(1.25)
    probe = limiter.reserve(ONE, max_wait_s=0.0)
    assert isinstance(probe, Permit)
    assert limiter.reserve(ONE, max_wait_s=0.0).reason == "breaker"
    limiter.settle(probe, Result(outcome="answered"))
    assert isinstance(limiter.reserve(ONE, max_wait_s=0.0), Permit)


@pytest.mark.parametrize(("succeeds", "is_open"), [(None, True), (19, False)])
def test_twenty_failures_in_a_row_open_the_breaker_whatever_came_before(
    world: World, succeeds: int | None, is_open: bool
) -> None:
    limiter = world.limiter(in_flight=100)
    for number in range(-60, 20):
        permit = limiter.reserve(ONE, max_wait_s=0.0)
        assert isinstance(permit, Permit)
        fails = number >= 0 and number != succeeds
        limiter.settle(permit, Result(outcome="failed" if fails else "answered"))
    found = limiter.reserve(ONE, max_wait_s=0.0)
    assert (not isinstance(found, Permit) and found.reason == "breaker") == is_open


demands = st.builds(
    Demand,
    prompt_tokens=st.integers(0, 400),
    max_tokens=st.integers(0, 300),
    money=st.integers(0, 30).map(lambda thousandths: Decimal(thousandths) / 1000),
)
results = st.builds(
    Result,
    outcome=st.sampled_from(["answered", "answered", "failed", "later", "unused"]),
    tokens=st.none() | st.integers(0, 700),
    money=st.none() | st.integers(0, 30).map(lambda thousandths: Decimal(thousandths) / 1000),
    said=st.builds(
        Said,
        requests_per_minute=st.none() | st.integers(1, 2_000),
        tokens_per_minute=st.none() | st.integers(1, 200_000),
        pause_s=st.none() | st.floats(0.001, 2_000),
    )
    | st.just(Said()),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(0, MICROS) | st.integers(0, 4_000 * MICROS)),
        st.tuples(st.just("reserve"), st.tuples(demands, st.sampled_from([0.0, 2.0, 90.0]))),
        st.tuples(st.just("reserve"), st.tuples(st.just(ONE), st.just(2.0))),
        st.tuples(st.just("settle"), st.tuples(st.integers(0, 50), results)),
        st.tuples(st.just("spend"), st.integers(0, 60).map(lambda thousandths: Decimal(thousandths) / 1000)),
        st.tuples(st.just("override"), st.tuples(st.just("requests_per_minute"), st.integers(1, 900))),
    ),
    max_size=60,
)
some_limits = st.builds(
    Limits,
    requests_per_minute=st.sampled_from([0, 1, 60, 1_000]),
    tokens_per_minute=st.sampled_from([0, 300, 6_000, 100_000]),
    in_flight=st.sampled_from([0, 3]),
    money_per_hour=st.sampled_from([Decimal(0), Decimal("0.1")]),
    money_per_day=st.sampled_from([Decimal(0), Decimal("0.15")]),
)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=some_limits, steps=steps)
def test_the_scripts_decide_as_the_fake_does(
    client: redis.Redis, redis_prefix: str, limits: Limits, steps: list
) -> None:
    prefix, clock = redis_prefix + uuid.uuid4().hex, FakeClock()
    at = f"local now = tonumber(redis.call('GET', '{redis_prefix}:now'))"
    client.set(f"{redis_prefix}:now", clock.now)
    real = RedisLimiter(client, prefix=prefix, limits=limits, lease_s=40.0, clock=at)
    fake, permits = FakeLimiter(clock, limits, lease_s=40.0), []
    for name, what in steps:
        if name == "advance":
            clock.now += what
        client.set(f"{redis_prefix}:now", clock.now)
        if name == "reserve":
            demand, max_wait_s = what
            found, wanted = (limiter.reserve(demand, max_wait_s=max_wait_s) for limiter in (real, fake))
            assert type(found) is type(wanted)
            assert found.wait_s == wanted.wait_s
            assert getattr(found, "reason", None) == getattr(wanted, "reason", None)
            permits += [(found, wanted)] if isinstance(found, Permit) else []
        elif name == "settle" and permits:
            number, result = what
            found, wanted = permits[number % len(permits)]
            real.settle(found, result)
            fake.settle(wanted, result)
        elif name == "spend":
            real.spend(what)
            fake.spend(what)
        elif name == "override":
            real.override(dict([what]))
            fake.shared.overrides |= dict([what])
        state = real.state()
        assert (state.spent_hour, state.spent_day) == (fake._spent("hour"), fake._spent("day"))
        assert state.in_flight == sum(held.lapses > clock.now for held in fake.shared.in_flight.values())


def test_a_reply_never_ends_the_pause_that_another_one_asked_for(world: World) -> None:
    limiter = world.limiter()
    first, second = limiter.reserve(ONE, max_wait_s=0.0), limiter.reserve(ONE, max_wait_s=0.0)
    limiter.settle(first, Result(outcome="answered", said=Said(pause_s=30.0)))
    limiter.settle(second, Result(outcome="answered", said=Said(pause_s=0.02)))
    refusal = limiter.reserve(ONE, max_wait_s=0.0)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.wait_s > 20) == ("hold", True)
