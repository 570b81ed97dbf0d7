"""The embedded servers keep their data, go with the process that started them, and come back after a kill."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest
import redis

from linkner.errors import ConfigurationError
from tests.support.waiting import wait_until
from workers.stack.embedded import embedded_postgres, embedded_redis


def client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(url.replace("redis+socket://", "unix://"))


def test_postgres_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    with embedded_postgres(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)


def test_redis_keeps_its_data_and_never_evicts(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url, client_of(url) as client:
        client.set("kept", "42")
        options = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "port")
    assert options == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "port": "0",
    }
    with embedded_redis(tmp_path) as url, client_of(url) as client:
        assert client.get("kept") == b"42"


def test_a_folder_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.stack.process.locked.__wrapped__.__kwdefaults__", {"wait_s": 0.1})
    with (
        embedded_redis(tmp_path),
        pytest.raises(ConfigurationError, match="in use"),
        embedded_redis(tmp_path),
    ):
        pass


def test_servers_end_with_a_killed_owner_and_start_again_on_its_folder(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import time
        from workers.stack.embedded import embedded_postgres, embedded_redis
        with embedded_postgres({str(tmp_path / "p")!r}) as p, embedded_redis({str(tmp_path / "r")!r}) as r:
            print(p, r, flush=True)
            time.sleep(600)
        """
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    postgres_url, redis_url = owner.stdout.readline().split()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    client_of(redis_url).set("kept", "42")
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()

    def gone() -> bool:
        try:
            client_of(redis_url).ping()
        except redis.ConnectionError:
            return True
        return False

    assert wait_until(gone)
    with embedded_postgres(tmp_path / "p") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)
    with embedded_redis(tmp_path / "r") as url:
        assert client_of(url).get("kept") == b"42"
