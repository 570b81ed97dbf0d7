"""The relay over fakes: bounded queues, sweeping in time, waiting where there is nothing to do."""

import pytest

from linkner.errors import UnavailableError
from tests.unit.workers.handlers.relay_scene import Scene
from workers.handlers.relay import PROBES, RETIRED_AT_ONCE


def test_due_ids_are_sent_in_chunks_and_only_once() -> None:
    scene = Scene(documents=6)
    scene.relay.step()
    scene.relay.step()
    assert scene.sent() == [[1, 2, 3, 4], [5, 6]]


def test_a_queue_never_holds_more_than_its_depth() -> None:
    scene = Scene(documents=100)
    for _ in range(5):
        scene.relay.step()
    assert scene.sent() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    scene.sent().pop(0)
    scene.relay.step()
    assert scene.sent() == [[5, 6, 7, 8], [9, 10, 11, 12]]


def test_a_queue_is_filled_up_when_half_of_it_is_empty() -> None:
    scene = Scene(documents=30)
    scene.ask_about_all(30)
    scene.relay.step()
    questions = scene.queues.messages["classify"]
    del questions[:9]
    scene.relay.step()
    assert len(questions) == 11
    questions.pop()
    scene.relay.step()
    assert len(questions) == 20


def test_while_no_llm_takes_questions_no_more_are_sent_than_a_probe_needs() -> None:
    scene = Scene(documents=60, chunk=2)
    scene.ask_about_all(60)
    scene.llm_is_down = True
    for _ in range(5):
        scene.relay.step()
    questions = scene.queues.messages["classify"]
    assert [len(ids) for ids in questions] == [1] * PROBES
    questions.pop()
    scene.relay.step()
    assert len(questions) == PROBES, "one that came back is followed by another"
    scene.llm_is_down = False
    scene.relay.step()
    assert [len(ids) for ids in questions] == [1] * PROBES + [2] * (20 - PROBES)


def test_ids_that_become_due_one_by_one_go_together() -> None:
    scene = Scene(documents=1)
    scene.relay.step()
    assert sum(scene.clock.slept) == pytest.approx(0.05), "though a notification came"


def test_a_broker_that_is_away_loses_nothing() -> None:
    scene = Scene(documents=3)
    scene.queues.away = True
    with pytest.raises(UnavailableError):
        scene.relay.step()
    scene.queues.away = False
    scene.relay.step()
    assert scene.sent() == [[1, 2, 3]]


def test_a_message_that_the_broker_lost_is_sent_again() -> None:
    scene = Scene(documents=1)
    scene.relay.step()
    scene.sent().clear()
    scene.clock.sleep(61.0)
    scene.relay.step()
    assert scene.sent() == [[1]]


def test_with_nothing_due_the_relay_waits_and_with_a_full_queue_only_briefly() -> None:
    idle = Scene(documents=0)
    idle.store.wait(timeout_s=0)
    idle.relay.step()
    assert sum(idle.clock.slept) == 1.0
    full = Scene(documents=20)
    full.relay.step()
    full.store.wait(timeout_s=0)
    full.clock.slept.clear()
    full.relay.step()
    assert sum(full.clock.slept) == pytest.approx(0.05)


def test_finished_documents_are_erased_at_their_age_some_at_a_time() -> None:
    count = RETIRED_AT_ONCE + 2
    scene = Scene(documents=count)
    scene.store.fail_recognition(range(1, count + 1), reason="refused", error=None)
    scene.clock.sleep(6 * 86_400.0)
    assert scene.relay.step()["retired"] == 0
    scene.clock.sleep(2 * 86_400.0)
    assert scene.relay.step()["retired"] == count
    assert scene.store.document(count) is None


def test_without_a_retention_all_documents_are_kept() -> None:
    scene = Scene(documents=1)
    scene.relay.retention_s = None
    scene.store.fail_recognition([1], reason="refused", error=None)
    scene.clock.sleep(1_000 * 86_400.0)
    assert scene.relay.step()["retired"] == 0
    assert scene.store.document(1) is not None
