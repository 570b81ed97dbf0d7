"""The recognition service when it is told to stop: nothing that it started is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVICE = """
from tests.fakes.recogniser import TinyRecogniser
from trainer.service import run_service
run_service(TinyRecogniser, host="127.0.0.1", port=0, replicas=1, max_queued=4,
            ready=lambda url: print(url, flush=True))
"""
ROOT = Path(__file__).parents[2]


class Service:
    """The service in a session of its own, which all that it starts belongs to."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SERVICE]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def running(self) -> dict[int, str]:
        """Command lines of the session's living processes, by process id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().rstrip("\0")
            except OSError:  # it has just ended
                continue
        return found


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    for pid in service.running():
        os.kill(pid, signal.SIGKILL)
    service.process.wait()
    service.process.stdout.close()


def eventually(condition: Callable[[], bool], *, within_s: float) -> bool:
    give_up = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def test_a_running_service_stops_and_leaves_nothing(service: Service) -> None:
    assert service.process.stdout.readline().startswith("http://127.0.0.1:")
    assert len(service.running()) > 5
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=30) == 0
    assert eventually(lambda: not service.running(), within_s=2), service.running()


def test_a_starting_service_stops_and_leaves_nothing(service: Service) -> None:
    assert eventually(
        lambda: any("RuntimeEnvAgent" in command for command in service.running().values()), within_s=150
    )
    service.process.send_signal(signal.SIGINT)
    service.process.wait(timeout=30)
    assert eventually(lambda: not service.running(), within_s=2), service.running()
