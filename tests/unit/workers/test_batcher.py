"""The batcher's loop over fakes: it asks whether it may work before each step, and before it sends."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.unit.workers.handlers.batch_scene import Scene
from workers.batcher import run_batcher


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
