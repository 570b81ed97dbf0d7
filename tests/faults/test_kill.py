"""kill -9 of each kind of process in mid-run loses no document and finishes none twice."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from broker.settings import load_settings
from tests.support.folders import server_folder
from tests.support.posts import POSTS, REPLIES, lines
from tests.support.waiting import wait_until
from workers.api_client import GatewayClient
from workers.demo.carry import Carried
from workers.stack.stack import Shape, Stack, running_stack

DOCUMENTS = 400
FAST_RECOVERY = {
    "LINKNER_LLM_DEADLINE_S": "4",
    "LINKNER_LEASE_MARGIN_S": "1",
    "LINKNER_VISIBILITY_TIMEOUT_S": "10",
    "LINKNER_REPUBLISH_MARGIN_S": "2",
    "LINKNER_RECOGNISE_CHUNK": "16",
    "LINKNER_LLM_SLOTS": "8",
    "LINKNER_LLM_REQUESTS_PER_MINUTE": "6000",
}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in FAST_RECOVERY.items():
        monkeypatch.setenv(name, value)
    shape = Shape(replay=(POSTS, REPLIES), replay_options=("--latency-median-s", "0.3"))
    with server_folder() as folder, running_stack(load_settings(), folder=folder, shape=shape) as stack:
        yield stack


@pytest.mark.timeout(280)
def test_killed_processes_lose_and_double_nothing(stack: Stack) -> None:
    client, carried = GatewayClient(stack.gateway_url), Carried()
    assert client.submit(lines(DOCUMENTS)).accepted == DOCUMENTS
    pages = client.follow()

    def final() -> int:
        for item in next(pages):
            carried.add(item["document"])
        return len(carried.documents)

    victims = {"recogniser-1": 20, "llm-caller-1": 60, "relay": 120}
    for victim, documents in victims.items():
        assert wait_until(lambda documents=documents: final() >= documents, within_s=120, every_s=0.05)
        assert final() < DOCUMENTS, f"{victim} is to be killed in mid-run"
        os.kill(stack.supervisor.pids()[victim], signal.SIGKILL)
    killed_at = time.monotonic()
    assert wait_until(lambda: final() >= DOCUMENTS, within_s=120, every_s=0.1), client.status()
    print(f"all final {time.monotonic() - killed_at:.1f} s after the last kill")

    assert {victim: stack.supervisor.restarts()[victim] for victim in victims} == dict.fromkeys(victims, 1)
    assert (carried.doubled, carried.wrong_surface) == (0, 0)
    status = client.status()
    assert {state: n for state, n in status["documents"].items() if n} == {"complete": DOCUMENTS}
    assert {state for state, n in status["questions"].items() if n} <= {"answered", "dead"}
    assert status["replayed"] == status["questions"]["answered"] > 0
    again = client.submit(lines(DOCUMENTS))
    assert (again.accepted, again.duplicates) == (0, DOCUMENTS)
    assert client.status()["documents"] == status["documents"]
