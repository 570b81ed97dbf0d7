"""The recognition service when it is told to stop: nothing that it started is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
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
    """The service in a process of its own; whatever it starts carries a mark in its environment."""

    def __init__(self) -> None:
        self._mark = f"LINKNER_TEST_MARK={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVICE],
            cwd=ROOT,
            env={**os.environ, name: value},
            stdout=subprocess.PIPE,
            text=True,
        )

    def running(self) -> dict[int, str]:
        """Command lines of the living processes with the mark, by process id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_text()
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if command}


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_service_stops_and_leaves_nothing(service: Service, number: signal.Signals) -> None:
    assert service.process.stdout.readline().startswith("http://127.0.0.1:")
    assert len(service.running()) > 5
    service.process.send_signal(number)
    assert service.process.wait(timeout=30) == 0
    assert eventually(lambda: not service.running(), within_s=2), service.running()


def test_a_starting_service_stops_and_leaves_nothing(service: Service) -> None:
    assert eventually(
        lambda: any("ServeController" in command for command in service.running().values()), within_s=60
    )
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(timeout=30)
    assert eventually(lambda: not service.running(), within_s=2), service.running()
