"""Servers of a run's own, each behind a proxy, that can be restarted and killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import redis

from workers.chaos.proxy import TcpProxy, proxying
from workers.clock import SystemClock
from workers.handlers.patience import patiently
from workers.stack.embedded import embedded_postgres, embedded_redis
from workers.store.database import unavailable_as_such


@dataclass(slots=True)
class Server:
    """A server that `run` starts and that keeps its folder and socket; `ask_pid` says which process it is."""

    run: Callable[[], AbstractContextManager[str]]
    ask_pid: Callable[[str], int]
    url: str = ""
    pid: int = 0
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        self.url = self._running.enter_context(self.run())
        self.pid = self.ask_pid(self.url)

    def stop(self) -> None:
        """In good order; connections are ended."""
        self._running.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self, *, away_s: float) -> None:
        """kill -9, then start again on what is on disk after so many seconds; blocks meanwhile."""
        os.kill(self.pid, signal.SIGKILL)
        time.sleep(away_s)
        self.restart()


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """PostgreSQL and Redis, the links to them, and their URLs through these."""

    postgres: Server
    redis: Server
    links: dict[str, TcpProxy]
    postgres_url: str
    redis_url: str

    def forbid_writes(self, forbidden: bool) -> None:
        """Have PostgreSQL refuse them, or take them again; where it is just down, as soon as it is back."""
        patiently(partial(_forbid_writes, self.postgres, forbidden), clock=SystemClock(), patience_s=60.0)

    def empty_redis(self) -> None:
        with _redis(self.redis.url) as client:
            client.flushall()


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Both servers with their data under `folder`, whose path must be short: their sockets are in it."""
    postgres = Server(
        lambda: embedded_postgres(folder / "postgres"), lambda _: _postmaster(folder / "postgres")
    )
    server = Server(lambda: embedded_redis(folder / "redis"), _redis_pid)
    with ExitStack() as stack:
        for each in (postgres, server):
            each.start()
            stack.callback(each.stop)
        sockets = parse_qs(urlsplit(postgres.url).query)["host"][0]
        links = {
            "postgres": stack.enter_context(proxying(Path(sockets) / ".s.PGSQL.5432")),
            "redis": stack.enter_context(proxying(_socket(server.url))),
        }
        yield Servers(
            postgres=postgres,
            redis=server,
            links=links,
            postgres_url=f"postgresql://linkner@127.0.0.1:{links['postgres'].port}/postgres",
            redis_url=f"redis://127.0.0.1:{links['redis'].port}/0",
        )


def _forbid_writes(postgres: Server, forbidden: bool) -> None:
    value = "on" if forbidden else "off"
    with unavailable_as_such(), psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        connection.execute("SELECT pg_reload_conf()")


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _socket(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _redis(url: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(_socket(url)), socket_timeout=5)


def _redis_pid(url: str) -> int:
    with _redis(url) as client:
        return int(client.info("server")["process_id"])
