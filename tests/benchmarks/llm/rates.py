"""What one reservation takes, and how many calls one process of the simulated provider serves."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from urllib.parse import urlsplit

from broker.limiter import RedisLimiter
from broker.limits import Demand, Limits, Permit, Result
from broker.redis_client import connect
from tests.benchmarks.llm.bench_stack import MODEL, asked_about, provider_alone, question
from tests.support.folders import server_folder
from workers.llm_client import request_body
from workers.stack.embedded import embedded_redis

Say = Callable[[str], None]


def reservations(say: Say, *, seconds: float = 5.0, per_second: int = 1_000) -> dict[str, float]:
    """What a reservation takes at a thousand a second, on a Redis of its own."""
    say(f"reservations: {per_second} a second")
    took: list[float] = []
    with server_folder() as folder, embedded_redis(folder) as url, connect(url) as client:
        limits = Limits(requests_per_minute=10**6, tokens_per_minute=10**9, in_flight=10**6)
        limiter = RedisLimiter(client, prefix="bench", limits=limits, lease_s=40.0)
        demand = Demand(prompt_tokens=100, max_tokens=16, money=Decimal("0.0001"))
        begin = time.perf_counter()
        for number in range(int(seconds * per_second)):
            time.sleep(max(0.0, begin + number / per_second - time.perf_counter()))
            at = time.perf_counter()
            found = limiter.reserve(demand, max_wait_s=0.0)
            took.append(time.perf_counter() - at)
            if isinstance(found, Permit):
                limiter.settle(found, Result(outcome="answered", tokens=90))
        rate = len(took) / (time.perf_counter() - begin)
    return {
        "reservations_per_s": round(rate),
        "reserve_p50_ms": round(statistics.median(took) * 1e3, 3),
        "reserve_p99_ms": round(statistics.quantiles(took, n=100)[98] * 1e3, 3),
    }


def provider(posts: Sequence[str], say: Say, *, seconds: float = 5.0, threads: int = 4) -> dict[str, float]:
    """Calls a second of one simulated provider without latency, asked as fast as it can."""
    say("provider: calls that one process serves")
    spans = [(post, span) for post in posts if (span := asked_about(post)) is not None]
    bodies = [json.dumps(request_body(question(post, span).prompt, model=MODEL)) for post, span in spans]
    with provider_alone(posts) as (url, _, _):
        counts: list[int] = []
        until = time.monotonic() + seconds

        def ask() -> None:
            parts = urlsplit(url)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
            done = 0
            while time.monotonic() < until:
                body, headers = bodies[done % len(bodies)], {"content-type": "application/json"}
                connection.request("POST", f"{parts.path}/chat/completions", body, headers)
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                done += 1
            connection.close()
            counts.append(done)

        running = [threading.Thread(target=ask) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    return {"provider_calls_per_s": round(sum(counts) / seconds)}
