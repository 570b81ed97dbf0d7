"""Slots on threads: how many work at once, what they gather, and how they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from linkner.errors import StoppedError, UnavailableError
from workers.slots import ThreadSlots


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_no_more_work_is_done_at_once_than_there_are_slots(pool: ThreadPoolExecutor) -> None:
    slots, go, begun = ThreadSlots(2, gather_s=0.0), threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        assert go.wait(30)

    assert slots.take(at_most=5) == 2
    slots.run(work)
    slots.run(work)
    assert begun.acquire(timeout=30)
    assert begun.acquire(timeout=30)
    another = pool.submit(slots.take, at_most=1)
    with pytest.raises(TimeoutError):
        another.result(timeout=0.05)
    go.set()
    assert another.result(timeout=30) == 1
    slots.give_back(1)
    slots.close()


def test_every_thread_runs_before_the_first_work() -> None:
    before = threading.active_count()
    slots = ThreadSlots(3, gather_s=0.0)
    assert threading.active_count() == before + 3, "one that cannot be started is an error at once"
    slots.close()


def test_slots_that_become_free_one_by_one_are_taken_together(pool: ThreadPoolExecutor) -> None:
    slots = ThreadSlots(3, gather_s=30.0)
    assert slots.take(at_most=3) == 3
    together = pool.submit(slots.take, at_most=3)
    for _ in range(3):
        assert not together.done()
        slots.give_back(1)
    assert together.result(timeout=30) == 3


def test_what_is_free_is_taken_after_a_while(pool: ThreadPoolExecutor) -> None:
    slots = ThreadSlots(3, gather_s=0.01)
    slots.take(at_most=3)
    some = pool.submit(slots.take, at_most=3)
    slots.give_back(2)
    assert some.result(timeout=30) in (1, 2)


def test_work_that_fails_frees_its_slot_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    slots = ThreadSlots(1, gather_s=0.0)

    def away() -> None:
        raise UnavailableError("postgres is away")

    def defect() -> None:
        raise ValueError("a defect")

    with caplog.at_level(logging.WARNING, logger="linkner.slots"):
        for work in (away, defect):
            assert slots.take(at_most=1) == 1
            slots.run(work)
        slots.close()
    assert "postgres is away" in caplog.text
    assert "a defect" in caplog.text


def test_who_waits_for_a_slot_is_told_of_the_end_and_work_in_hand_is_finished(
    pool: ThreadPoolExecutor,
) -> None:
    slots, go, done = ThreadSlots(1, gather_s=0.0), threading.Event(), threading.Event()

    def work() -> None:
        assert go.wait(30)
        done.set()

    slots.take(at_most=1)
    slots.run(work)
    waiting = pool.submit(slots.take, at_most=1)
    slots.stop()
    with pytest.raises(StoppedError):
        waiting.result(timeout=30)
    assert not done.is_set()
    go.set()
    slots.close()
    assert done.is_set()
