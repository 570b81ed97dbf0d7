"""The loops of batcher and relay over fakes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NoReturn

import pytest

from linkner.errors import UnavailableError
from tests.unit.workers.handlers import relay_scene
from tests.unit.workers.handlers.batch_scene import Scene
from workers.batcher import run_batcher
from workers.relay import run_relay

AWAY = UnavailableError("away")


@pytest.fixture(autouse=True)
def _handlers_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_lock_that_is_lost_during_a_step_keeps_its_batch_from_being_sent() -> None:
    scene, asked = Scene("Zork sings"), []

    def may_work() -> bool:
        asked.append(True)
        if len(asked) > 1:
            signal.raise_signal(signal.SIGTERM)
        return len(asked) == 1

    run_batcher(scene.batching, may_work=may_work, poll_s=0.0)
    assert len(asked) == 2
    assert scene.sent == []


def end_with(error: Exception) -> NoReturn:
    """The last thing that happens before the process is told to stop."""
    signal.raise_signal(signal.SIGTERM)
    raise error


def test_a_batcher_notes_what_its_step_ended_with() -> None:
    scene = Scene("Zork sings")
    run_batcher(scene.batching, may_work=lambda: end_with(AWAY), poll_s=0.0)
    assert scene.noted == [("batcher", AWAY)]


def test_a_relay_notes_what_its_step_ended_with() -> None:
    scene = relay_scene.Scene(documents=1)
    scene.queues.depth = lambda _: end_with(AWAY)
    run_relay(scene.relay)
    assert scene.noted == [("relay", AWAY)]
