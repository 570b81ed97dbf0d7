"""One server process of a data folder, which never outlives the process that started it.

Two things make that hold without trusting any process id that was written down:

- The server inherits an exclusive lock on a file of its folder. The kernel frees it when the last process of
  the server is gone, so whoever holds the lock knows that nothing else runs on the folder.
- It is a GuardedProcess: when this process ends, for whatever reason, its guard stops the server.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from linkner.errors import ConfigurationError, UnavailableError
from workers.stack.guarded import GuardedProcess

_LONGEST_SOCKET_FOLDER = 80  # a socket's whole path may have 107 bytes (Linux) or 103 (macOS)
_READY_S = 60.0
_STOP_S = 30.0
_POLL_S = 0.02
_RESTART_AFTER_S = 1.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that a server runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class FolderLock:
    """The lock of one server's folder, as a file descriptor that its processes inherit."""

    descriptor: int


@contextmanager
def locked(path: Path, *, wait_s: float = 15.0) -> Iterator[FolderLock]:
    """Hold the lock file `path`, after waiting for an earlier server to finish stopping.

    Raises:
        ConfigurationError: another process still holds it after `wait_s` seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        give_up = time.monotonic() + wait_s
        while not _try_lock(descriptor):
            if time.monotonic() > give_up:
                raise ConfigurationError(
                    "the data folder is in use",
                    got=str(path.parent),
                    hint="stop the other process that runs on it, or choose another folder",
                )
            time.sleep(_POLL_S)
        yield FolderLock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def run_once(command: Sequence[str], *, lock: FolderLock, cwd: Path, account: Account | None) -> None:
    """Run a command that prepares the folder, as `account` where one is given.

    Raises:
        ConfigurationError: it failed; the message has the end of its output.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lock.descriptor],
        **_credentials(account),
    )
    if done.returncode:
        output = done.stdout.decode(errors="replace").strip()
        raise ConfigurationError(f"{Path(command[0]).name} failed in {cwd}", got=output[-500:])


@contextmanager
def running(
    command: Sequence[str],
    *,
    lock: FolderLock,
    cwd: Path,
    log: Path,
    stop_signal: str,
    is_ready: Callable[[], bool],
    account: Account | None = None,
    died: Report | None = None,
) -> Iterator[None]:
    """Run a server in the foreground of `log` until the block ends, then stop it and wait for it.

    `stop_signal` is the name ("TERM") of the signal that makes it stop in good order. With `died`, which is
    told in words, a server that ends within the block is started again; else it stays away.

    Raises:
        UnavailableError: it ended or was not ready in time; the message has the end of its log.
    """
    start = partial(
        GuardedProcess,
        command,
        log=log,
        stop_signal=stop_signal,
        cwd=cwd,
        pass_fds=[lock.descriptor],
        **_credentials(account),
    )
    kept = _Kept(start, name=log.stem)
    try:
        _wait_until_ready(kept.server, is_ready, log=log)
        if died is not None:
            kept.watch(died)
        yield
    finally:
        kept.stop()


class _Kept:
    """A server that is started again where it ends, once it is watched."""

    def __init__(self, start: Callable[..., GuardedProcess], *, name: str) -> None:
        self.server = start()
        self._start = start
        self._name = name
        self._stopping = Event()
        self._watcher: Thread | None = None

    def watch(self, died: Report) -> None:
        self._watcher = Thread(target=self._watch, args=(died,), name=f"{self._name}-watcher", daemon=True)
        self._watcher.start()

    def _watch(self, died: Report) -> None:
        while not self._stopping.wait(_RESTART_AFTER_S):
            code = self.server.returncode()
            if code is not None:
                died(f"{self._name} ended with code {code} and is started again")
                self.server = self._start(append=True)

    def stop(self) -> None:
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        self.server.stop(within_s=_STOP_S)


def _credentials(account: Account | None) -> dict[str, Any]:
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def _wait_until_ready(server: GuardedProcess, is_ready: Callable[[], bool], *, log: Path) -> None:
    give_up = time.monotonic() + _READY_S
    while not is_ready():
        if server.returncode() is not None or time.monotonic() > give_up:
            raise UnavailableError(
                f"{log.stem} did not start",
                got=log.read_text(errors="replace").strip()[-500:] or "an empty log",
                hint=f"its log is {log}",
            )
        time.sleep(_POLL_S)


@contextmanager
def socket_folder(folder: Path, *, account: Account | None = None) -> Iterator[Path]:
    """`folder` itself, or a short temporary one where a socket's path in it would be too long."""
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="linkner-", ignore_cleanup_errors=True) as short:
        if account is not None:
            os.chown(short, account.uid, account.gid)
        yield Path(short)
