"""A child process that cannot outlive this one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_GUARD = 'read -r _; kill -s "$1" "$2" 2>/dev/null'


class GuardedProcess:
    """A command running in a session of its own, and a guard that stops it.

    The guard (a shell of a few kilobytes) waits on a pipe that only this process can write to. When this
    process ends, for whatever reason, kill -9 included, the pipe closes and the guard sends `stop_signal`
    (a name: "TERM"). Sessions of their own keep Ctrl-C at the terminal to this process, which can then stop
    its children in their order.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        stop_signal: str = "TERM",
        env: Mapping[str, str] | None = None,
        append: bool = False,
        **options: Any,
    ) -> None:
        with log.open("ab" if append else "wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=env,
                **options,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", stop_signal, str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The command's process id."""
        return self._process.pid

    def returncode(self) -> int | None:
        """None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._dismiss_guard()
        return code

    def ask_to_stop(self) -> None:
        """Send the stop signal, once, and return at once."""
        if self.returncode() is None and self._guard.returncode is None:
            self._guard.communicate()

    def _dismiss_guard(self) -> None:
        """Once the command has ended its process id may become another's: nobody may signal it any more."""
        if self._guard.returncode is None:
            self._guard.kill()
            self._guard.communicate()

    def stop(self, *, within_s: float) -> None:
        """Send the stop signal and wait; kill it where it has not ended in time."""
        self.ask_to_stop()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
