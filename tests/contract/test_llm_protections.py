"""The strict endpoint sees no call beyond its limits, and few while it is down; not so without them.

The answer cache and the single flight have the same in `test_asked_once`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from broker.limiter import RedisLimiter
from broker.limits import NOTHING_SAID, Limits, Permit, Result
from broker.redis_client import connect
from linkner.classification import Prompt, ask_about
from linkner.errors import UnavailableError
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from tests.benchmarks.llm.windows import Called, read
from tests.support.replaying import replaying
from workers.clock import SystemClock
from workers.handlers.budget import Tariff
from workers.llm_client import OpenAiLlm
from workers.llm_pool import LimitedLlm, LlmPool
from workers.ports import Limiter
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies

POST = "Anna sings in Oslo"
REPLIES = RecordedReplies({POST: (LabelledSpan(Span(0, 4), "person"),)})
PROMPT: Prompt = ask_about(POST, Span(0, 4), label_set("wnut17"))
THREADS = 8


class WithoutBreaker:
    """A limiter that hears of no failure."""

    def __init__(self, limiter: Limiter) -> None:
        self.reserve = limiter.reserve
        self._settle = limiter.settle

    def settle(self, permit: Permit, result: Result) -> None:
        self._settle(permit, replace(result, outcome="answered", said=NOTHING_SAID))


def calls(limiter: Limiter, behaviour: Behaviour, *, seconds: float, ledger: Path) -> list[Called]:
    """What the endpoint sees of callers that ask as fast as they may for some time."""
    with replaying(REPLIES, behaviour, ledger=ledger) as url:
        client = OpenAiLlm(base_url=url, api_key="", model="simulated", deadline_s=10.0, connections=THREADS)
        tariff = Tariff(endpoint=url, model="simulated", price=None)
        pool = LlmPool(
            [LimitedLlm(llm=client, limiter=limiter, tariff=tariff)], clock=SystemClock(), max_wait_s=0.2
        )
        give_up = time.monotonic() + seconds

        def ask() -> None:
            while time.monotonic() < give_up:
                try:
                    pool.ask(PROMPT)
                except UnavailableError:
                    time.sleep(0.01)

        with ThreadPoolExecutor(THREADS) as threads:
            for done in [threads.submit(ask) for _ in range(THREADS)]:
                done.result()
        client.close()
    with ledger.open() as lines:
        return read(lines)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def limiter(client: redis.Redis, prefix: str, limits: Limits) -> RedisLimiter:
    return RedisLimiter(client, prefix=prefix, limits=limits, lease_s=30.0)


class TestTheLimitOnRequests:
    STRICT = Behaviour(requests_per_minute=30)

    def test_holds(self, client: redis.Redis, redis_prefix: str, ledger: Path) -> None:
        limited = limiter(client, redis_prefix, Limits(requests_per_minute=30))
        seen = calls(limited, self.STRICT, seconds=5.0, ledger=ledger)
        assert 2 <= len(seen) <= 4
        assert not any(call.violation for call in seen)

    def test_is_broken_without_the_limiter(
        self, client: redis.Redis, redis_prefix: str, ledger: Path
    ) -> None:
        seen = calls(
            WithoutBreaker(limiter(client, redis_prefix, Limits())), self.STRICT, seconds=2.0, ledger=ledger
        )
        assert sum(call.violation for call in seen) > 10


class TestTheBreaker:
    DOWN = Behaviour(down_for_s=60.0)
    LIMITS = Limits(requests_per_minute=100_000)

    def test_lets_few_calls_through_while_the_endpoint_is_down(
        self, client: redis.Redis, redis_prefix: str, ledger: Path
    ) -> None:
        seen = calls(limiter(client, redis_prefix, self.LIMITS), self.DOWN, seconds=4.0, ledger=ledger)
        assert {call.status for call in seen} == {500}
        assert len(seen) <= 2 * THREADS

    def test_all_calls_go_without_it(self, client: redis.Redis, redis_prefix: str, ledger: Path) -> None:
        without = WithoutBreaker(limiter(client, redis_prefix, self.LIMITS))
        assert len(calls(without, self.DOWN, seconds=2.0, ledger=ledger)) > 5 * THREADS


def test_the_limits_in_the_headers_of_a_reply_hold_for_the_next_calls(
    client: redis.Redis, redis_prefix: str, ledger: Path
) -> None:
    """Ours are twenty times what the endpoint allows, and its first reply says so."""
    limited = limiter(client, redis_prefix, Limits(requests_per_minute=600))
    strict = Behaviour(requests_per_minute=30, quota_headers="full")
    seen = calls(limited, strict, seconds=4.0, ledger=ledger)
    assert limited.state().limits.requests_per_minute == 30
    assert not any(call.violation for call in seen)
