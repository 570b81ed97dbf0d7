"""A producer at ten times what the recognition service can do: what waits where, and what is lost.

A real gateway, relay, recognise worker, aggregator, Redis and PostgreSQL; the recognition service is a stub
of known capacity, and no LLM is asked. The producer sends on whatever it is told: what gets 429 was not
accepted.

python -m tests.benchmarks.backpressure --minutes 5
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import httpx
import uvicorn
from rich.console import Console
from rich.table import Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.settings import Settings
from linkner.chunks import read_request, write_response
from tests.benchmarks.servers import empty_servers, some_roles
from tests.fakes.recogniser import TinyRecogniser
from workers.stack.memory import pss_mib
from workers.stack.stack import answers, free_port
from workers.stack.supervisor import Role, Supervisor

QUEUE_CAP: int = Settings.model_fields["recognise_depth"].default
"""Most messages that wait in the queue."""


@dataclass
class Seen:
    """What the producer and the watcher saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: int = 0
    without_retry_after: int = 0
    depths: list[int] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


@contextmanager
def stub_service(capacity: int) -> Iterator[str]:
    """A recognition service that does so many texts a second."""
    turn = asyncio.Lock()

    async def recognise(request: Request) -> Response:
        texts = read_request(await request.body())
        async with turn:
            await asyncio.sleep(len(texts) / capacity)
        return Response(write_response("stub", TinyRecogniser().recognise(texts)))

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    app = Starlette(routes=[Route("/recognise", recognise, methods=["POST"]), Route("/healthz", healthz)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def stack(recogniser: str, *, high_water: int) -> Iterator[tuple[str, Supervisor]]:
    """The gateway's URL and the roles."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    told = {
        "LINKNER_RECOGNISER_URL": recogniser,
        "LINKNER_GATEWAY_PORT": str(port),
        "LINKNER_HIGH_WATER": str(high_water),
        "LINKNER_LLM_BASE_URL": "",
    }
    wanted = [
        Role("aggregator", ("worker", "ingest", "aggregate")),
        Role("recogniser", ("worker", "recognise")),
        Role("relay", ("relay",)),
        Role("gateway", ("gateway",), answers(f"{url}/readyz")),
    ]
    with empty_servers() as (folder, env), some_roles(wanted, env | told, folder=folder) as roles:
        yield url, roles


def measure(*, capacity: int, seconds: float, high_water: int) -> dict[str, Any]:
    """Send ten times the capacity for so long, wait for the rest, and say what was seen."""
    seen, ended = Seen(), threading.Event()
    with (
        stub_service(capacity) as service,
        stack(service, high_water=high_water) as (url, roles),
        httpx.Client(base_url=url, timeout=60.0) as client,
    ):
        with ThreadPoolExecutor() as threads:
            watching = threads.submit(_watch, url, roles, seen, ended)
            try:
                _produce(client, seen, capacity=capacity, seconds=seconds)
                drained = _until_final(client, seen.accepted, within_s=120 + 2 * high_water / capacity)
            finally:
                ended.set()
            watching.result()
        documents = client.get("/v1/status").json()["documents"]
    quarter = max(1, len(seen.memory) // 4)
    return {
        "capacity_per_s": capacity,
        "offered": sum(seen.statuses.values()) * capacity,
        "accepted": seen.accepted,
        "final": documents["complete"],
        "lost": seen.accepted - documents["complete"],
        "requests": {str(status): count for status, count in sorted(seen.statuses.items())},
        "refused_without_retry_after": seen.without_retry_after,
        "queue_cap": QUEUE_CAP,
        "looks": len(seen.depths),
        "deepest_queue": max(seen.depths, default=0),
        "memory_first_quarter_mib": round(mean(seen.memory[:quarter])),
        "memory_last_quarter_mib": round(mean(seen.memory[-quarter:])),
        "drained_in_s": round(drained, 1),
    }


def _produce(client: httpx.Client, seen: Seen, *, capacity: int, seconds: float) -> None:
    """A request of a tenth of a second's posts at ten times the capacity, ten times a second."""
    began, number = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        body = "\n".join(
            json.dumps({"source": "load", "external_id": f"{number}-{place}", "text": f"Anna Lind {place}"})
            for place in range(capacity)
        )
        response = client.post(
            "/v1/documents", content=body, headers={"content-type": "application/x-ndjson"}
        )
        seen.statuses[response.status_code] += 1
        if response.status_code == 429:
            seen.without_retry_after += "retry-after" not in response.headers
        elif response.is_success:
            seen.accepted += response.json()["accepted"]
        number += 1
        time.sleep(max(0.0, began + number / 10 - now) if number / 10 > now - began else 0.0)


def _watch(url: str, roles: Supervisor, seen: Seen, ended: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=60.0) as client:
        while not ended.wait(0.5):
            seen.depths.append(client.get("/v1/status").json()["queues"]["recognise"])
            seen.memory.append(sum(pss_mib({name: [pid] for name, pid in roles.pids().items()}).values()))


def _until_final(client: httpx.Client, accepted: int, *, within_s: float) -> float:
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        if client.get("/v1/status").json()["documents"].get("complete", 0) >= accepted:
            break
        time.sleep(0.5)
    return time.monotonic() - began


def main() -> None:
    """Measure, and print a table and one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the producer sends")
    parser.add_argument("--capacity", type=int, default=50, help="texts a second of the stub service")
    parser.add_argument("--high-water", type=int, default=1_000, help="LINKNER_HIGH_WATER")
    arguments = parser.parse_args()
    found = measure(
        capacity=arguments.capacity, seconds=arguments.minutes * 60, high_water=arguments.high_water
    )
    table = Table(title="A producer at ten times the capacity; the recognition service is a stub")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in found.items():
        table.add_row(name, f"{value}")
    Console().print(table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
