"""A message of several questions over fakes: slots, and what fails in one of them."""

from dataclasses import replace

import pytest

from linkner.errors import UnavailableError
from tests.fakes.slots import FakeSlots
from tests.support.one_question import claim_one
from tests.unit.workers.handlers.classify_scene import TEXT, Scene
from workers.handlers.answering import Answering
from workers.ports import ATTEMPTS_EXHAUSTED


def test_a_message_of_several_questions_asks_each_in_a_slot_and_gives_the_others_back() -> None:
    scene = Scene(reply="group")
    cached = scene.ask_again()
    assert scene.run() == "answered"
    new = scene.ask_again(text="Zork was here")
    slots = FakeSlots()
    outcomes = replace(scene.classify, slots=slots)([scene.question_id, cached, new, new, 999])
    assert outcomes == {"skipped": 2, "answered": 1}, "one has ended, one is not there, one is in the cache"
    assert slots.outcomes == ["answered"]
    assert slots.taken == 0
    assert len(scene.llm.asked) == 2


def test_questions_are_claimed_as_slots_become_free() -> None:
    """A question that waits for a slot is nobody's: its lease does not run."""
    scene = Scene(reply="group", cache_max_age_s=0.0)
    ids = [scene.question_id, scene.ask_again(), scene.ask_again()]
    claimed: list[int] = []

    def reply(prompt: object) -> str:
        claimed.append(scene.store.counts().questions["claimed"])
        return "group"

    scene.llm.answer = reply
    slots = FakeSlots(at_once=2)
    replace(scene.classify, slots=slots)(ids)
    assert slots.outcomes == ["answered"] * 3
    assert claimed == [2, 1, 1]


def test_a_question_that_cannot_be_put_does_not_stop_the_others_of_its_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(reply="group")
    other = scene.ask_again(text="Zork was here")
    ask = Answering.question

    def fails_at_the_first(self: Answering, text: str, candidates: object) -> object:
        if text == TEXT:
            raise ValueError("a defect")
        return ask(self, text, candidates)

    monkeypatch.setattr(Answering, "question", fails_at_the_first)
    slots = FakeSlots()
    for _ in range(6):
        replace(scene.classify, slots=slots)([scene.question_id, other])
        scene.clock.sleep(40.0)
    assert slots.outcomes == ["answered"]
    assert scene.reasons == {ATTEMPTS_EXHAUSTED: 1}
    assert slots.taken == 0


def test_slots_are_given_back_where_the_store_is_away() -> None:
    scene = Scene()

    def away(*_: object, **__: object) -> None:
        raise UnavailableError("postgres is away")

    scene.store.recall = away
    slots = FakeSlots()
    with pytest.raises(UnavailableError):
        replace(scene.classify, slots=slots)([scene.question_id])
    assert slots.taken == 0
    del scene.store.recall
    scene.clock.sleep(6.0)
    claim = claim_one(scene.store, scene.question_id, lease_s=40.0, max_attempts=5)
    assert claim is not None, "it was given back, and not held until its lease ends"
    assert claim.attempts == 1
