"""Recognition of chunks over fakes: what is recorded, retried, deferred and given up."""

from collections import deque

import pytest

from linkner.detection import Detector
from linkner.errors import RejectedError, UnavailableError
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import FakeRecogniser
from tests.fakes.store import FakeStore
from workers.handlers.recognise import RECOGNISER_REFUSED, RecogniseDocuments
from workers.ports import NewDocument, Recognition

DETECTOR = Detector(threshold=0.2, epsilon=0.05, max_questions=8)


class Scene:
    """Three accepted posts and a handler over fakes."""

    def __init__(self, *, skip_reason: str | None = None) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.recogniser = FakeRecogniser()
        texts = ["Ada Lovelace met Zork", "nothing here", "Oslo"]
        posts = [NewDocument("test", str(number), text) for number, text in enumerate(texts)]
        self.ids = [accepted.document_id for accepted in self.store.accept(posts)]
        self.handle = RecogniseDocuments(
            store=self.store,
            recogniser=self.recogniser,
            detector=DETECTOR,
            clock=self.clock,
            skip_reason=skip_reason,
        )


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


def test_a_busy_service_is_asked_again_with_growing_pauses() -> None:
    scene = Scene()
    scene.recogniser.failures = deque([UnavailableError("busy")] * 3)
    assert scene.handle(scene.ids) == 3
    assert scene.clock.slept == [0.1, 0.2, 0.4]


def test_documents_go_back_to_the_relay_where_the_service_stays_away() -> None:
    scene = Scene()
    scene.store.publish_due("recognise", limit=10, send=lambda ids: None)
    scene.recogniser.failures = deque([UnavailableError("down")] * 1000)
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert sum(scene.clock.slept) <= 60
    published: list[int] = []
    assert scene.store.publish_due("recognise", limit=10, send=published.extend) == 0
    scene.clock.sleep(5.0)
    assert scene.store.publish_due("recognise", limit=10, send=published.extend) == 3
    assert sorted(published) == sorted(scene.ids)


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
    handle = RecogniseDocuments(
        store=scene.store, recogniser=RefusesZork(), detector=DETECTOR, clock=scene.clock
    )
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
