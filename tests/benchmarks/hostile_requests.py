"""Hostile requests at a real gateway, over sockets: is one a 5xx, does one end it, what memory do they take?

The gateway runs as a process of its own on embedded PostgreSQL and Redis. Requests are made from a seed:
posts with odd values, bodies of bytes, deep nesting, numbers beyond any type, broken HTTP, bodies that break
off, and some that are as they should be. The exit code is 1 for a 5xx, a hang, or a gateway that ended.

python -m tests.benchmarks.hostile_requests
python -m tests.benchmarks.hostile_requests --requests 100000 --seed 7
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from rich.console import Console
from rich.progress import Progress

from tests.benchmarks.servers import empty_servers, some_roles
from tests.support.hostile import Request, request
from workers.stack.memory import pss_mib
from workers.stack.stack import answers, free_port
from workers.stack.supervisor import Role, Supervisor

THREADS = 4
NO_ANSWER = "no answer"
"""What a request gets that broke off, or was no HTTP: the connection closes."""

TIMED_OUT = "timed out"
"""What must not be: neither an answer nor the end of the connection in 30 s."""


def send(port: int, hostile: Request) -> str:
    """The status of the answer, or NO_ANSWER. Raises OSError where nobody listens."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(hostile.data)
            if hostile.breaks_off:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65_536):
                answer = answer or part
        except TimeoutError:
            return TIMED_OUT
        except OSError:  # closed in the middle of what we sent
            return NO_ANSWER
    return answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/1.") else NO_ANSWER


@dataclass
class Gateway:
    """A gateway process and what watches it."""

    port: int
    roles: Supervisor

    @property
    def pid(self) -> int:
        return self.roles.pids()["gateway"]

    def memory_mib(self) -> float:
        return pss_mib({"gateway": [self.pid]})["gateway"]


@contextmanager
def gateway() -> Iterator[Gateway]:
    """A real gateway on a store of its own."""
    port = free_port()
    arguments = ("gateway", "--port", str(port), "--log-level", "ERROR")
    role = Role("gateway", arguments, answers(f"http://127.0.0.1:{port}/healthz"))
    with empty_servers() as (folder, env), some_roles([role], env, folder=folder) as roles:
        yield Gateway(port, roles)


def attack(target: Gateway, *, requests: int, seed: int) -> dict[str, object]:
    """Send so many; what came of them. Memory is read after the first tenth, and at the end."""
    pid, statuses = target.pid, Counter[str]()
    chunk = max(1, requests // 10)

    def some(number: int, count: int) -> Counter[str]:
        random = Random(f"{seed}-{number}")
        return Counter(send(target.port, request(random)) for _ in range(count))

    memory = []
    with ThreadPoolExecutor(THREADS) as threads, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("hostile requests", total=requests)
        for tenth in range(10):
            shares = [chunk // THREADS + (n < chunk % THREADS) for n in range(THREADS)]
            for found in threads.map(some, range(tenth * THREADS, (tenth + 1) * THREADS), shares):
                statuses.update(found)
            memory.append(target.memory_mib())
            progress.advance(task, chunk)
    return {
        "requests": sum(statuses.values()),
        "seed": seed,
        "statuses": dict(sorted(statuses.items())),
        "server_errors": sum(count for status, count in statuses.items() if status.startswith("5")),
        "timed_out": statuses[TIMED_OUT],
        "restarts": int(target.pid != pid),
        "memory_mib": {"after a tenth": round(memory[0], 1), "at the end": round(memory[-1], 1)},
    }


def main() -> None:
    """Attack, and print a line and one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with gateway() as target:
        found = attack(target, requests=arguments.requests, seed=arguments.seed)
    for status, count in dict(found["statuses"]).items():  # type: ignore[call-overload]
        print(f"{status:10} {count:>9,}")
    print(json.dumps(found))
    sys.exit(1 if found["server_errors"] or found["timed_out"] or found["restarts"] else 0)


if __name__ == "__main__":
    main()
