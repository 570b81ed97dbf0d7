"""Runs the roles of a stack as processes: starts them, starts dead ones again, stops them in order."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from linkner.errors import UnavailableError
from workers.stack.guarded import GuardedProcess

_STOP_S = 40.0
_LONGEST_PAUSE_S = 10.0
_YOUNG_S = 30.0
_HOPELESS = 3  # restarts before all are ready
_TAIL = 1500  # characters


@dataclass(frozen=True, slots=True)
class Role:
    """One process of a stack: the command (`linkner`) with these arguments.

    `is_ready` None means: ready once started. A `service` is asked by other roles, so it is stopped after
    them: what they have in hand can still be finished.
    """

    name: str
    arguments: tuple[str, ...]
    is_ready: Callable[[], bool] | None = None
    service: bool = False


@dataclass(slots=True)
class _Running:
    role: Role
    process: GuardedProcess
    started_at: float
    restarts: int = 0
    died_young: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """The processes of one stack. Logs go to `<folder>/<role>.log`; `died` is told in words of what ends."""

    folder: Path
    env: Mapping[str, str]
    command: tuple[str, ...] = (sys.executable, "-m", "workers.cli")
    died: Callable[[str], None] = lambda _: None
    _running: dict[str, _Running] = field(default_factory=dict, init=False)
    _stopping: Event = field(default_factory=Event, init=False)
    _watcher: Thread | None = field(default=None, init=False)

    def start(self, roles: Sequence[Role]) -> None:
        """Start the roles and, from then on, start those again that end."""
        for role in roles:
            self._running[role.name] = _Running(role, self._spawn(role), time.monotonic())
        if self._watcher is None:
            self._watcher = Thread(target=self._watch, name="supervisor", daemon=True)
            self._watcher.start()

    def wait_until_ready(self, *, within_s: float, on_ready: Callable[[str], None] = lambda _: None) -> None:
        """Wait for every role that can say so; `on_ready` is told each name.

        Raises:
            UnavailableError: one was not ready in time, or any role ends again and again; the message has the
                end of its log.
        """
        waiting = {name: entry.role for name, entry in self._running.items() if entry.role.is_ready}
        give_up = time.monotonic() + within_s
        while waiting:
            late = waiting if time.monotonic() > give_up else ()
            for name, entry in self._running.items():
                if name in late or entry.restarts >= _HOPELESS:
                    raise UnavailableError(
                        f"{name} did not start", got=self.log_tail(name), hint=f"its log is {self._log(name)}"
                    )
            for name, role in list(waiting.items()):
                if role.is_ready is not None and role.is_ready():
                    del waiting[name]
                    on_ready(name)
            time.sleep(0.05)

    def pids(self) -> dict[str, int]:
        """The process id of each role."""
        return {name: entry.process.pid for name, entry in self._running.items()}

    def restarts(self) -> dict[str, int]:
        """How often each role has been started again."""
        return {name: entry.restarts for name, entry in self._running.items()}

    def log_tail(self, name: str) -> str:
        """The end of a role's log."""
        return self._log(name).read_text(errors="replace").strip()[-_TAIL:] or "an empty log"

    def stop(self) -> None:
        """Stop every role and wait for all of them: first those that ask others, then the services."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        for services in (False, True):
            _stop_all([entry.process for entry in self._running.values() if entry.role.service == services])
        self._running.clear()

    def _spawn(self, role: Role) -> GuardedProcess:
        return GuardedProcess(
            [*self.command, *role.arguments],
            log=self._log(role.name),
            append=True,
            env={**os.environ, **self.env},
        )

    def _watch(self) -> None:
        while not self._stopping.wait(0.2):
            for entry in self._running.values():
                if entry.process.returncode() is not None and time.monotonic() >= entry.not_before:
                    self._start_again(entry)

    def _start_again(self, entry: _Running) -> None:
        """At once the first time, then after ever longer pauses while it keeps dying young."""
        lived_s = time.monotonic() - entry.started_at
        last_words = self.log_tail(entry.role.name).splitlines()[-1][:300]
        self.died(f"{entry.role.name} ended with code {entry.process.returncode()}: {last_words}")
        entry.process.stop(within_s=0.1)
        entry.died_young = entry.died_young + 1 if lived_s < _YOUNG_S else 0
        pause_s = min(0.5 * 2**entry.died_young, _LONGEST_PAUSE_S) if entry.died_young else 0.0
        entry.process = self._spawn(entry.role)
        entry.started_at = time.monotonic()
        entry.not_before = entry.started_at + pause_s
        entry.restarts += 1

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _stop_all(processes: Sequence[GuardedProcess]) -> None:
    for process in processes:
        process.ask_to_stop()
    give_up = time.monotonic() + _STOP_S
    for process in processes:
        process.stop(within_s=max(give_up - time.monotonic(), 0.1))
