"""Recognition of chunks over fakes: what is recorded, and of what."""

from dataclasses import replace

import pytest

from linkner.classification import Form, FormName
from linkner.errors import RejectedError
from linkner.spans import Recognition
from tests.fakes.recogniser import FakeRecogniser
from tests.support.one_question import claim_one
from tests.unit.workers.handlers.recognise_scene import Scene
from workers.handlers.policies import Policies, Policy
from workers.ports import LANE_NEVER, RECOGNISER_REFUSED


def test_uncertain_spans_become_questions_and_the_others_are_ready_to_join() -> None:
    scene = Scene()
    assert scene.handle(scene.ids) == 3
    counts = scene.store.counts()
    assert dict(counts.questions) | {"pending": 2} == dict(counts.questions)
    assert counts.documents["recognised"] == 2
    assert counts.documents["classified"] == 1


def test_a_repeated_message_changes_nothing() -> None:
    scene = Scene()
    scene.handle(scene.ids)
    before = scene.store.counts()
    assert scene.handle(scene.ids) == 0
    assert scene.store.counts() == before
    assert len(scene.recogniser.chunks) == 1


def test_without_an_llm_candidates_end_with_the_reason() -> None:
    scene = Scene(skip_reason="no-llm")
    scene.handle(scene.ids)
    counts = scene.store.counts()
    assert counts.documents["classified"] == 3
    assert dict(counts.dead_reasons) == {"no-llm": 2}


def test_sources_that_are_never_asked_about_end_with_the_reason() -> None:
    scene = Scene(policies=Policies(by_source={"test": Policy(lane="never")}))
    scene.handle(scene.ids)
    counts = scene.store.counts()
    assert counts.documents["classified"] == 3
    assert dict(counts.dead_reasons) == {LANE_NEVER: 2}


def test_a_deadline_of_a_source_counts_from_acceptance() -> None:
    scene = Scene(policies=Policies(by_source={"test": Policy(deadline_s=60.0)}))
    scene.clock.sleep(50.0)
    scene.handle(scene.ids)
    sweep = {"republish_after_s": 1e6, "deadline_s": 1e6, "document_deadline_s": 1e6}
    assert scene.store.sweep(**sweep)["overdue_questions"] == 0
    scene.clock.sleep(10.0)
    assert scene.store.sweep(**sweep)["overdue_questions"] == 2


class RefusesZork:
    """A service that refuses every chunk with the word Zork in it."""

    def __init__(self) -> None:
        self.inner = FakeRecogniser()

    def recognise(self, texts: list[str]) -> tuple[str, list[Recognition]]:
        if any("Zork" in text for text in texts):
            raise RejectedError("not this one")
        return self.inner.recognise(texts)


def test_one_refused_document_does_not_hold_back_its_chunk() -> None:
    scene = Scene()
    handle = replace(scene.handle, recogniser=RefusesZork())
    assert handle(scene.ids) == 3
    refused = scene.store.document(scene.ids[0])
    assert refused is not None
    assert (refused.status, refused.reason, refused.entities) == ("final", RECOGNISER_REFUSED, ())
    counts = scene.store.counts()
    assert (counts.documents["complete"], counts.documents["recognised"], counts.documents["classified"]) == (
        1,
        1,
        1,
    )


@pytest.mark.parametrize(("form", "candidates"), [("per-span", [1, 1]), ("packed", [2]), ("propose", [2])])
def test_the_form_says_how_many_candidates_a_question_has(form: FormName, candidates: list[int]) -> None:
    scene = Scene("Ada met Zork")
    replace(scene.handle, form=Form(name=form))(scene.ids)
    questions: list[int] = []
    scene.store.publish_due("classify", limit=100, send=questions.extend)
    claims = [claim_one(scene.store, question_id, lease_s=1.0, max_attempts=5) for question_id in questions]
    assert [len(claim.candidates) for claim in claims if claim is not None] == candidates
