"""What the limiter's scripts guard against, intact and switched off, on a clock that the test moves.

Intact, the scripts and the fake come to the same. Switched off, the harm must show: a test that could not
tell the difference would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from broker import limiter as limiter_module
from broker.limiter import RedisLimiter
from broker.limits import MICROS, Demand, Limits, Permit, Result, Said
from broker.redis_client import connect
from tests.fakes.limiter import FakeClock, FakeLimiter
from workers.ports import Limiter

SIX = Demand(prompt_tokens=90, max_tokens=10, money=Decimal(6))
HOUR = 3600 * MICROS


@dataclass(frozen=True)
class World:
    """How to make a limiter with some limits, and how time passes for it."""

    limiter: Callable[..., Limiter]
    clock: FakeClock
    set_clock: Callable[[], object]

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.set_clock()


@pytest.fixture
def on_fake() -> World:
    clock = FakeClock()
    return World(lambda **limits: FakeLimiter(clock, Limits(**limits), lease_s=40.0), clock, lambda: None)


@pytest.fixture
def on_redis(redis_url: str, redis_prefix: str) -> Iterator[World]:
    clock, key = FakeClock(), f"{redis_prefix}now"
    with connect(redis_url) as client:

        def made(**limits: int | Decimal) -> Limiter:
            at = f"local now = tonumber(redis.call('GET', '{key}'))"
            return RedisLimiter(client, prefix=redis_prefix, limits=Limits(**limits), lease_s=40.0, clock=at)

        client.set(key, clock.now)
        yield World(made, clock, lambda: client.set(key, clock.now))


def permit(limiter: Limiter) -> Permit:
    found = limiter.reserve(SIX, max_wait_s=0.0)
    assert isinstance(found, Permit)
    return found


def answer(limiter: Limiter) -> str:
    """Whether the next call may go, or why not."""
    found = limiter.reserve(SIX, max_wait_s=0.0)
    return "goes" if isinstance(found, Permit) else found.reason


def after_the_holder_died(world: World) -> str:
    """What the next caller is told when the lease of the only permit has ended."""
    limiter = world.limiter(in_flight=1)
    permit(limiter)
    world.advance(39.0)
    assert answer(limiter) == "in_flight"
    world.advance(1.0)
    return answer(limiter)


def after_settling_twice(world: World) -> str:
    """What the fourth of four calls is told, for three of which there is money: the first cost nothing."""
    limiter = world.limiter(money_per_hour=Decimal(20))
    first = permit(limiter)
    permit(limiter)
    for _ in range(2):
        limiter.settle(first, Result(outcome="answered", money=Decimal(0)))
    permit(limiter)
    permit(limiter)
    return answer(limiter)


def after_settling_in_another_hour(world: World) -> str:
    """What is said where one more call would go if the hour before gave back what it did not spend."""
    limiter = world.limiter(money_per_hour=Decimal(10))
    world.advance((HOUR - world.clock.now % HOUR) / MICROS - 5.0)
    before = permit(limiter)
    world.advance(5.0)
    permit(limiter)
    limiter.settle(before, Result(outcome="answered", money=Decimal(0)))
    return answer(limiter)


def after_a_call_from_before_the_breaker_opened(world: World) -> str:
    """What is said when a call is answered that started before another one was told to come later."""
    limiter = world.limiter()
    early, told = permit(limiter), permit(limiter)
    limiter.settle(told, Result(outcome="later", said=Said(pause_s=5.0)))
    world.advance(1.0)
    limiter.settle(early, Result(outcome="answered"))
    return answer(limiter)


@dataclass(frozen=True)
class Protection:
    """Part of a script, what switches it off, and what `told` is with and without it."""

    told: Callable[[World], str]
    script: str
    part: str
    off: str
    intact: str
    switched_off: str

    def weaken(self, name: str, source: str) -> str:
        """The source of the script of that name, without the protection."""
        if name != self.script:
            return source
        assert self.part in source
        return source.replace(self.part, self.off)


each = pytest.mark.parametrize(
    "protection",
    [
        Protection(
            told=after_the_holder_died,
            script="reserve",
            part="redis.call('ZREMRANGEBYSCORE', IN_FLIGHT, '-inf', now)",
            off="",
            intact="goes",
            switched_off="in_flight",
        ),
        Protection(
            told=after_settling_twice,
            script="settle",
            part="redis.call('ZREM', IN_FLIGHT, asked.permit) == 1",
            off="redis.call('ZREM', IN_FLIGHT, asked.permit) >= 0",
            intact="money_reserved",
            switched_off="goes",
        ),
        Protection(
            told=after_settling_in_another_hour,
            script="settle",
            part="number == math.floor(reserved / length)",
            off="true",
            intact="money_reserved",
            switched_off="goes",
        ),
        Protection(
            told=after_a_call_from_before_the_breaker_opened,
            script="settle",
            part="trips > 0 and reserved >= state.open_until",
            off="trips > 0",
            intact="breaker",
            switched_off="goes",
        ),
    ],
    ids=lambda protection: protection.told.__name__,
)


@each
@pytest.mark.parametrize("world", ["on_fake", "on_redis"])
def test_intact(request: pytest.FixtureRequest, world: str, protection: Protection) -> None:
    assert protection.told(request.getfixturevalue(world)) == protection.intact


@each
def test_switched_off(on_redis: World, monkeypatch: pytest.MonkeyPatch, protection: Protection) -> None:
    read = limiter_module._source
    monkeypatch.setattr(limiter_module, "_source", lambda name: protection.weaken(name, read(name)))
    assert protection.told(on_redis) == protection.switched_off
