"""ports.Limiter: one body over the fake and over the script in a real Redis, and both compared."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from broker.limiter import Pace, RedisLimiter
from broker.redis_client import connect
from linkner.errors import UnavailableError
from tests.fakes.limiter import MICROS, FakeClock, FakeLimiter, State, step
from workers.ports import Limiter


@dataclass(frozen=True)
class World:
    """Where limiters live: how to make one, how time passes, and how the state gets lost."""

    limiter: Callable[..., Limiter]
    advance: Callable[[float], None]
    lose: Callable[[], object]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture(params=["fake", "redis"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        clock, keys = FakeClock(), {}
        return World(
            lambda per_minute, key="k": FakeLimiter(clock, per_minute, key, keys), clock.advance, keys.clear
        )
    client, prefix = request.getfixturevalue("client"), request.getfixturevalue("redis_prefix")
    return World(
        lambda per_minute, key="k": RedisLimiter(client, key=prefix + key, per_minute=per_minute),
        time.sleep,
        lambda: client.delete(prefix + "k"),
    )


def test_the_first_call_goes_and_the_next_waits_for_its_turn(world: World) -> None:
    limiter = world.limiter(30)
    assert limiter.reserve() == 0.0
    assert 1.5 < limiter.reserve() <= 61 / 30 + 0.001


def test_a_call_that_has_waited_as_told_goes(world: World) -> None:
    limiter = world.limiter(600)
    limiter.reserve()
    world.advance(limiter.reserve() + 0.001)
    assert limiter.reserve() == 0.0


def test_a_refusal_takes_nothing(world: World) -> None:
    limiter = world.limiter(600)
    limiter.reserve()
    waits = [limiter.reserve() for _ in range(20)]
    assert max(waits) <= 61 / 588 + 0.001
    world.advance(waits[0] + 0.001)
    assert limiter.reserve() == 0.0


def test_callers_of_one_key_share_the_limit_and_keys_do_not(world: World) -> None:
    assert world.limiter(30).reserve() == 0.0
    assert world.limiter(30).reserve() > 0.0
    assert world.limiter(30, "other").reserve() == 0.0


def test_losing_the_state_gives_one_permit_and_no_burst(world: World) -> None:
    limiter = world.limiter(600)
    limiter.reserve()
    world.lose()
    assert limiter.reserve() == 0.0
    assert limiter.reserve() > 0.0


def test_a_raised_limit_holds_at_once(world: World) -> None:
    assert world.limiter(1).reserve() == 0.0
    assert world.limiter(600).reserve() <= 1.5


def test_the_script_decides_as_the_model_does(client: redis.Redis, redis_prefix: str) -> None:
    """The server's time lies between two looks at the clock, and the arithmetic is monotone in it."""
    key, per_minute = redis_prefix + "k", 3_000
    limiter, pace = RedisLimiter(client, key=key, per_minute=per_minute), Pace.of_requests(per_minute)
    for pause in [0.0, 0.001, 0.0, 0.05, 0.0, 0.0, 0.03, 0.0, 0.2] + 60 * [0.0]:
        time.sleep(pause)
        stored = client.get(key)
        state = State(int(stored), int(stored) + 60 * MICROS) if stored else None
        before = step(pace, state, time.time_ns() // 1_000)
        wait = round(limiter.reserve() * MICROS)
        after = step(pace, state, time.time_ns() // 1_000)
        assert after[0] <= wait <= before[0]
        found = int(client.get(key))
        if wait:
            assert found == state.arrival
        elif before[0] == after[0] == 0:
            assert before[1].arrival <= found <= after[1].arrival


def test_the_key_expires_when_unused(client: redis.Redis, redis_prefix: str) -> None:
    RedisLimiter(client, key=redis_prefix + "k", per_minute=60).reserve()
    assert 60_000 < client.pttl(redis_prefix + "k") <= 62_500


def test_many_callers_at_once_never_pass_the_limit_and_use_it(redis_url: str, redis_prefix: str) -> None:
    per_minute, runtime = 6_000, 1.0
    pace = Pace.of_requests(per_minute)
    start = time.monotonic()

    def caller(_: int) -> int:
        with connect(redis_url) as client:
            limiter = RedisLimiter(client, key=redis_prefix + "k", per_minute=per_minute)
            taken = 0
            while time.monotonic() - start < runtime:
                if wait := limiter.reserve():
                    time.sleep(wait)
                else:
                    taken += 1
            return taken

    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(caller, range(4)))
    elapsed = (time.monotonic() - start) * MICROS
    assert taken <= (elapsed + pace.tolerance) / pace.interval + 1
    assert taken >= 0.8 * runtime * MICROS / pace.interval


def test_it_fails_closed_where_redis_does_not_answer(tmp_path: Path) -> None:
    nobody = connect(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(UnavailableError, match="limiter"):
        RedisLimiter(nobody, key="k", per_minute=60).reserve()


def test_it_fails_closed_where_redis_refuses_to_write(client: redis.Redis, redis_prefix: str) -> None:
    client.lpush(redis_prefix + "k", "not a number")
    with pytest.raises(UnavailableError, match="limiter"):
        RedisLimiter(client, key=redis_prefix + "k", per_minute=60).reserve()


def test_it_fails_closed_where_redis_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.redis_client.SOCKET_TIMEOUT_S", 0.05)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/silent.sock")
        server.listen()
        with pytest.raises(UnavailableError, match="limiter"):
            RedisLimiter(connect(f"unix://{tmp_path}/silent.sock"), key="k", per_minute=60).reserve()
