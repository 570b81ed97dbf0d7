"""The limiter in Redis: what it shows and keeps there, and that it fails closed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from broker.limiter import SERVER_CLOCK, RedisLimiter
from broker.limits import MICROS, Demand, Limits, Refusal, Result, Said
from broker.redis_client import connect
from linkner.errors import ConfigurationError, UnavailableError
from tests.support.folders import server_folder
from workers.chaos.proxy import proxying
from workers.ports import Limiter
from workers.stack.embedded import embedded_redis

ONE = Demand(prompt_tokens=90, max_tokens=10, money=Decimal("0.001"))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


def test_a_look_shows_everything(client: redis.Redis, redis_prefix: str) -> None:
    limits = Limits(requests_per_minute=600, money_per_hour=Decimal(3), money_per_day=Decimal(9))
    limiter = RedisLimiter(client, prefix=redis_prefix + "a", limits=limits, lease_s=40.0)
    first = limiter.reserve(ONE, max_wait_s=2.0)
    limiter.reserve(ONE, max_wait_s=2.0)
    limiter.settle(first, Result(outcome="later", said=Said(tokens_per_minute=90, pause_s=30.0)))
    limiter.override({"requests_per_minute": 60, "money_per_day": Decimal("2.5")})
    state = limiter.state()
    assert (state.limits.requests_per_minute, state.limits.money_per_day) == (60, Decimal("2.5"))
    assert state.overrides == {"requests_per_minute": 60, "money_per_day": Decimal("2.5")}
    assert state.said == Said(tokens_per_minute=90)
    assert (state.in_flight, state.spent_hour, state.spent_day) == (1, Decimal("0.002"), Decimal("0.002"))
    assert (state.breaker, state.hold_s) == ("open", 0.0)
    assert 29.0 < state.open_s <= 30.0
    limiter.override({"requests_per_minute": None, "money_per_day": None})
    assert limiter.state().limits == replace(limits, tokens_per_minute=90), "what was said still holds"


def test_money_spent_without_a_permit_counts_for_the_hour_and_the_day(
    client: redis.Redis, redis_prefix: str
) -> None:
    limits = Limits(money_per_hour=Decimal(3), money_per_day=Decimal(9))
    limiter = RedisLimiter(client, prefix=redis_prefix + "b", limits=limits, lease_s=40.0)
    limiter.spend(Decimal("2.9995"))
    assert not limiter.state().money_is_spent
    refusal = limiter.reserve(ONE, max_wait_s=2.0)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "money_per_hour"
    limiter.spend(Decimal("0.0005"))
    state = limiter.state()
    assert (state.spent_hour, state.spent_day, state.money_is_spent) == (Decimal(3), Decimal(3), True)


def test_the_state_goes_when_it_is_unused(client: redis.Redis, redis_prefix: str) -> None:
    limits = Limits(requests_per_minute=60, tokens_per_minute=6_000)
    RedisLimiter(client, prefix=redis_prefix + "a", limits=limits, lease_s=40.0).reserve(ONE, max_wait_s=0.0)
    keys = client.keys(f"{{{redis_prefix}a*")
    assert len(keys) == 3
    assert all(86_400 < client.ttl(key) <= 3 * 86_400 for key in keys)


def test_many_callers_at_once_start_within_the_limit_and_use_it(redis_url: str, redis_prefix: str) -> None:
    per_minute, runtime_s, starts = 6_000, 1.0, []
    end = time.monotonic() + runtime_s

    def caller() -> None:
        with connect(redis_url) as client:
            limits = Limits(requests_per_minute=per_minute)
            limiter = RedisLimiter(client, prefix=redis_prefix + "a", limits=limits, lease_s=40.0)
            while (now := time.monotonic()) < end:
                found = limiter.reserve(ONE, max_wait_s=2.0)
                time.sleep(found.wait_s)
                starts.append(now + found.wait_s)

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    used_s = max(starts) - (end - runtime_s)
    # A machine with other work to do may use less, but never more.
    assert 0.5 <= len(starts) / (used_s * per_minute / 60) <= 1.02


def test_the_server_s_clock_is_the_one_that_counts(client: redis.Redis, redis_prefix: str) -> None:
    before = time.time()
    limiter = RedisLimiter(client, prefix=redis_prefix, limits=Limits(), lease_s=40.0, clock=SERVER_CLOCK)
    reserved_at = int(limiter.reserve(ONE, max_wait_s=0.0).id.split(":")[0]) / MICROS
    assert before - 0.01 <= reserved_at <= time.time() + 0.01


def refused_by(limiter: Limiter) -> UnavailableError:
    with pytest.raises(UnavailableError, match="limiter") as caught:
        limiter.reserve(ONE, max_wait_s=0.0)
    return caught.value


def test_it_fails_closed_where_redis_does_not_answer(tmp_path: Path) -> None:
    nobody = connect(f"unix://{tmp_path}/nobody.sock")
    error = refused_by(RedisLimiter(nobody, prefix="p", limits=Limits(), lease_s=40.0))
    assert error.retry_after_s


def test_a_script_that_only_takes_long_is_not_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.redis_client.SOCKET_TIMEOUT_S", 0.6)
    with server_folder() as folder, embedded_redis(folder) as url, proxying(Path(urlsplit(url).path)) as link:
        client = connect(f"redis://127.0.0.1:{link.port}")
        limiter = RedisLimiter(client, prefix="p", limits=Limits(), lease_s=40.0)
        limiter.spend(Decimal(0))
        link.delay(0.4)  # the script runs, and its reply comes too late
        heal = threading.Timer(0.5, link.heal)
        heal.start()
        with pytest.raises(UnavailableError):
            limiter.spend(Decimal(1))
        heal.join()
        assert limiter.state().spent_day == 1
        client.close()


def test_it_fails_closed_where_redis_refuses_to_write(client: redis.Redis, redis_prefix: str) -> None:
    client.lpush(f"{{{redis_prefix}}}:in-flight", "not a sorted set")
    refused_by(RedisLimiter(client, prefix=redis_prefix, limits=Limits(), lease_s=40.0))
    client.delete(f"{{{redis_prefix}}}:in-flight")


def test_it_fails_closed_where_redis_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.redis_client.SOCKET_TIMEOUT_S", 0.05)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/silent.sock")
        server.listen()
        silent = connect(f"unix://{tmp_path}/silent.sock")
        refused_by(RedisLimiter(silent, prefix="p", limits=Limits(), lease_s=40.0))


@pytest.mark.parametrize("changes", [{"requests": 5}, {"in_flight": -1}])
def test_limits_that_are_none_are_not_set(client: redis.Redis, redis_prefix: str, changes: dict) -> None:
    limiter = RedisLimiter(client, prefix=redis_prefix, limits=Limits(), lease_s=40.0)
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        limiter.override(changes)
    assert limiter.state().overrides == {}
