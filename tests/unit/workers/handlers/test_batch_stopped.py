"""The batch lane over fakes: what a crash, a stop or another process in between leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkner.errors import UnavailableError
from tests.unit.workers.handlers.batch_scene import Scene
from workers.batch_client import TIMEOUT_S
from workers.handlers.batch import APPEARS_WITHIN_S


def test_a_crash_before_the_id_was_written_down_asks_nothing_again() -> None:
    scene = Scene("Zork sings")
    submit = scene.llm.submit

    def dies_after(name, prompts):
        submit(name, prompts)
        raise KeyboardInterrupt

    scene.llm.submit = dies_after
    with pytest.raises(KeyboardInterrupt):
        scene.step()
    scene.llm.submit = submit
    assert scene.step() == {"answered": 1}
    assert scene.sent == [1]


def test_a_batch_that_never_came_to_be_is_made_again() -> None:
    scene = Scene("Zork sings")
    scene.llm.failures = [UnavailableError("HTTP 503")]
    with pytest.raises(UnavailableError):
        scene.step()
    assert scene.step() == {}, "it may still come to be"
    scene.clock.sleep(APPEARS_WITHIN_S + 1.0)
    assert scene.step() == {"submitted": 1}
    assert scene.step() == {"answered": 1}


def test_a_batch_may_take_as_long_to_appear_as_the_client_to_send_it() -> None:
    assert 2 * TIMEOUT_S < APPEARS_WITHIN_S


def test_the_wait_for_a_batch_to_appear_begins_when_it_is_sent_off() -> None:
    scene = Scene("Zork sings")
    scene.batching = replace(
        scene.batching, may_work=lambda: scene.clock.sleep(APPEARS_WITHIN_S + 1.0) or True
    )
    scene.llm.failures = [UnavailableError("HTTP 503")]
    with pytest.raises(UnavailableError):
        scene.step()
    assert scene.step() == {}
    assert len(scene.batches.open()) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_batch_that_another_process_has_closed_is_not_asked_for(moment: str) -> None:
    scene = Scene("Zork sings")
    submit = scene.llm.submit

    def closed_meanwhile(*_: object) -> bool:
        scene.batches.close(1, error="the provider never had it")
        return True

    def slow(name, prompts):
        provider_id = submit(name, prompts)
        closed_meanwhile()
        return provider_id

    if moment == "before":
        scene.batching = replace(scene.batching, may_work=closed_meanwhile)
    else:
        scene.llm.submit = slow
    assert scene.step() == {}
    assert scene.batches.open() == []
    assert scene.llm.discarded == ([] if moment == "before" else ["provider's batch 1"])
    assert scene.sent == ([] if moment == "before" else [1])


def test_who_is_not_the_one_process_any_more_sends_nothing_off() -> None:
    scene = Scene("Zork sings")
    scene.batching = replace(scene.batching, may_work=lambda: False)
    assert scene.step() == {}
    assert scene.sent == []
    scene.batching = replace(scene.batching, may_work=lambda: True)
    assert scene.step() == {"submitted": 1}, "nothing waits for what was not sent"


def test_a_crash_while_settling_is_taken_up_and_costs_nothing_again() -> None:
    scene = Scene("Zork sings", "Anna sings", "Oslo sings")
    scene.step()
    record, recorded = scene.store.record_answers, []

    def dies_at_the_second(answered):
        if recorded:
            raise KeyboardInterrupt
        recorded.extend(answered)
        return record(answered)

    scene.store.record_answers = dies_at_the_second
    with pytest.raises(KeyboardInterrupt):
        scene.step()
    scene.store.record_answers = record
    assert scene.step() == {"answered": 1, "skipped": 1}, "the dead process still holds one"
    assert scene.batches.open()
    scene.clock.sleep(60.0)
    assert scene.step() == {"answered": 1}
    assert scene.sent == [3]
    (row,) = scene.store.costs("source", within_s=1e6)
    assert row.calls == 3


def test_a_stop_leaves_the_rest_to_the_next_step() -> None:
    scene = Scene("Zork sings", "Anna sings", "Oslo sings")
    scene.step()
    left = [True, False]
    scene.batching = replace(scene.batching, go_on=lambda: left.pop(0))
    assert scene.step() == {"answered": 1}
    scene.batching = replace(scene.batching, go_on=lambda: True)
    assert scene.step() == {"answered": 2}
    assert scene.sent == [3]


@pytest.mark.parametrize("fault", ["unreadable", "expired"])
def test_a_stop_after_a_bad_result_counts_it_once(fault: str) -> None:
    scene = Scene("Zork sings", "Anna sings", "Oslo sings", reply="a delicious pancake")
    scene.llm.expired = lambda id_: fault == "expired"
    scene.step()
    left = [True, False]
    scene.batching = replace(scene.batching, at_least=3, after_s=1e6, go_on=lambda: left.pop(0))
    assert scene.step() == {"released": 1}
    scene.batching = replace(scene.batching, go_on=lambda: True)
    scene.clock.sleep(60.0)
    assert scene.step()["released"] == 2
    assert [question.attempts for question in scene.store.questions] == [1, 1, 1]


def test_a_batch_that_the_provider_forgot_is_given_up() -> None:
    scene = Scene("Zork sings")
    scene.step()
    scene.clock.sleep(4 * 86_400.0)
    scene.llm.failures = [UnavailableError("HTTP 404")]
    assert scene.step() == {"submitted": 1}
    assert scene.batches.errors == {1: "HTTP 404"}
