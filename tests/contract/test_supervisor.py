"""The supervisor's processes come back when they die, and go when it goes, however it goes."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from linkner.errors import UnavailableError
from tests.support.waiting import wait_until
from workers.stack.supervisor import Role, Supervisor

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_process_is_started_again_and_stop_ends_all(tmp_path: Path) -> None:
    supervisor = Supervisor(folder=tmp_path, env={}, command=SLEEPER)
    supervisor.start([Role("one", ()), Role("two", ())])
    try:
        first = supervisor.pids()
        os.kill(first["one"], signal.SIGKILL)
        assert wait_until(lambda: supervisor.pids()["one"] != first["one"])
        second = supervisor.pids()
        assert second["two"] == first["two"]
        assert supervisor.restarts() == {"one": 1, "two": 0}
    finally:
        supervisor.stop()
    assert not any(alive(pid) for pid in (*first.values(), *second.values()))


def test_services_are_stopped_after_those_that_ask_them(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        f"    open({str(tmp_path / 'order')!r}, 'a').write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "open(sys.argv[2], 'w').close()\n"
        "time.sleep(600)\n"
    )
    marks = {name: tmp_path / f"{name}.up" for name in ("model", "worker")}
    supervisor = Supervisor(folder=tmp_path, env={}, command=(sys.executable, "-c", script))
    supervisor.start(
        [
            Role(name, (name, str(mark)), is_ready=mark.exists, service=name == "model")
            for name, mark in marks.items()
        ]
    )
    supervisor.wait_until_ready(within_s=30)
    supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["worker", "model"]


def test_a_role_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "print('no such setting'); raise SystemExit(3)")
    supervisor = Supervisor(folder=tmp_path, env={}, command=command)
    supervisor.start([Role("broken", (), is_ready=lambda: False)])
    try:
        with pytest.raises(UnavailableError, match=r"broken did not start.*no such setting"):
            supervisor.wait_until_ready(within_s=30)
    finally:
        supervisor.stop()


def test_a_role_that_ends_again_and_again_is_reported_though_it_cannot_say_that_it_is_ready(
    tmp_path: Path,
) -> None:
    command = (sys.executable, "-c", "import sys, time; time.sleep(600 if sys.argv[1] == 'well' else 0)")
    supervisor = Supervisor(folder=tmp_path, env={}, command=command)
    supervisor.start([Role("well", ("well",), is_ready=lambda: False), Role("broken", ("broken",))])
    try:
        with pytest.raises(UnavailableError, match="broken did not start"):
            supervisor.wait_until_ready(within_s=60)
    finally:
        supervisor.stop()


def test_what_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    told: list[str] = []
    command = (sys.executable, "-c", "print('first'); print('no such file'); raise SystemExit(2)")
    supervisor = Supervisor(folder=tmp_path, env={}, command=command, died=told.append)
    supervisor.start([Role("broken", ())])
    try:
        assert wait_until(lambda: len(told) > 0)
    finally:
        supervisor.stop()
    assert told[0] == "broken ended with code 2: no such file"


def test_no_process_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from workers.stack.supervisor import Role, Supervisor
        supervisor = Supervisor(folder=Path({str(tmp_path)!r}), env={{}}, command={SLEEPER!r})
        supervisor.start([Role("one", ())])
        print(supervisor.pids()["one"], flush=True)
        time.sleep(600)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not alive(child) or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z")
