"""A guarded process's stop signal reaches that process and no other."""

from __future__ import annotations

from pathlib import Path

from tests.support.waiting import wait_until
from workers.stack.guarded import GuardedProcess


def test_a_process_that_has_ended_is_not_signalled(tmp_path: Path) -> None:
    process = GuardedProcess(["/bin/sh", "-c", "exit 3"], log=tmp_path / "log")
    assert wait_until(lambda: process.returncode() is not None)
    # Its id may be another process's by now: the guard that knows the id has to be gone.
    assert process._guard.returncode is not None
    process.stop(within_s=1.0)
    assert process.returncode() == 3


def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"
    process = GuardedProcess(["/bin/sh", "-c", script], log=tmp_path / "log")
    assert wait_until(lambda: (tmp_path / "log").read_text() == "deaf\n")
    process.stop(within_s=0.1)
    assert process.returncode() == -9
