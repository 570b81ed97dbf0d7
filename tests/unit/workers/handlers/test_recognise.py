"""Recognition of chunks over fakes: what is recorded, retried, deferred and given up."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from linkner.classification import Form, FormName
from linkner.detectors import Detectors
from linkner.errors import CrashedError, RejectedError, UnavailableError
from linkner.labels import label_set
from linkner.spans import Recognition
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import FakeRecogniser
from tests.fakes.store import FakeStore
from tests.support.one_question import claim_one
from workers.handlers.policies import Policies, Policy
from workers.handlers.recognise import RecogniseDocuments
from workers.ports import (
    ATTEMPTS_EXHAUSTED,
    LANE_NEVER,
    RECOGNISER_REFUSED,
    NewDocument,
    Recognised,
    StoredText,
)

POLICIES = Policies()
DETECTORS = Detectors(threshold=0.2, epsilon=0.05)


class Scene:
    """Accepted posts, three unless others are given, and a handler over fakes."""

    def __init__(
        self,
        *texts: str,
        skip_reason: str | None = None,
        policies: Policies = POLICIES,
        store: Callable[[FakeClock], FakeStore] = FakeStore,
    ) -> None:
        self.clock = FakeClock()
        self.store = store(self.clock)
        self.recogniser = FakeRecogniser()
        given = texts or ("Ada Lovelace met Zork", "nothing here", "Oslo")
        posts = [NewDocument("test", str(number), text) for number, text in enumerate(given)]
        self.ids = [accepted.document_id for accepted in self.store.accept(posts)]
        self.handle = RecogniseDocuments(
            store=self.store,
            recogniser=self.recogniser,
            detectors=DETECTORS,
            form=Form(),
            label_set=label_set("wnut17"),
            clock=self.clock,
            max_attempts=5,
            policies=policies,
            skip_reason=skip_reason,
        )

    def relay(self) -> list[int]:
        """What the relay publishes now."""
        published: list[int] = []
        self.store.publish_due("recognise", limit=100, send=published.extend)
        return published

    def attempts(self) -> list[int]:
        return [stored.attempts for stored in self.store.texts(self.ids)]


def test_documents_wait_for_the_calibration_that_a_budget_needs() -> None:
    scene = Scene()
    detectors = scene.handle.detectors
    scene.handle = replace(scene.handle, detectors=replace(detectors, budget=30.0))
    with pytest.raises(UnavailableError, match="LINKNER_CALIBRATION"):
        scene.handle(scene.ids)
    assert scene.attempts() == [0, 0, 0]
    scene.handle = replace(scene.handle, detectors=detectors)
    assert scene.handle(scene.ids) == 3


def test_documents_wait_for_a_model_of_the_right_labels() -> None:
    scene = Scene()
    scene.handle = replace(scene.handle, label_set=label_set("conll03"))
    with pytest.raises(UnavailableError, match=r"LINKNER_LABEL_SET.*those of conll03.*got person"):
        scene.handle(scene.ids)
    assert scene.attempts() == [0, 0, 0]
    assert scene.store.counts().documents["recognised"] == 0
    scene.clock.sleep(10.0)
    scene.handle = replace(scene.handle, label_set=label_set("wnut17"))
    assert scene.handle(scene.relay()) == 3


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


def test_a_busy_service_is_asked_again_with_growing_pauses() -> None:
    scene = Scene()
    scene.recogniser.failures = deque([UnavailableError("busy")] * 3)
    assert scene.handle(scene.ids) == 3
    assert scene.clock.slept == [0.1, 0.2, 0.4]


def test_documents_go_back_to_the_relay_where_the_service_stays_away() -> None:
    scene = Scene()
    scene.relay()
    scene.recogniser.failures = deque([UnavailableError("down")] * 1000)
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert sum(scene.clock.slept) <= 60
    assert scene.relay() == []
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids
    assert scene.attempts() == [0, 0, 0], "an absent service is no attempt"


class GoesAway(FakeStore):
    """A store that is away when a result comes, and for a while after."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.failures = 4

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        self._answer()
        return super().record_recognised(results)

    def defer(self, documents: Collection[StoredText], *, delay_s: float, error: str | None) -> int:
        self._answer()
        return super().defer(documents, delay_s=delay_s, error=error)

    def _answer(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise UnavailableError("PostgreSQL cannot answer now")


def test_a_store_that_goes_away_costs_no_attempt() -> None:
    scene = Scene(store=GoesAway)
    scene.relay()
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert scene.clock.slept == [0.1, 0.2, 0.4]
    assert scene.attempts() == [0, 0, 0]
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids


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
        store=scene.store,
        recogniser=RefusesZork(),
        detectors=DETECTORS,
        form=Form(),
        label_set=label_set("wnut17"),
        clock=scene.clock,
        max_attempts=5,
        policies=POLICIES,
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


def test_a_text_that_the_service_fails_at_ends_after_its_attempts_and_harms_no_other() -> None:
    scene = Scene("Ada", "a broken text", "Oslo", "Lagos")
    rounds = 0
    while due := scene.relay():
        rounds += 1
        scene.handle(due)
        scene.clock.sleep(60.0)
    assert rounds == 5
    dead = scene.store.document(scene.ids[1])
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.counts().documents == {"recognised": 3, "complete": 1}


class Spoilt(FakeStore):
    """A store that fails at every result that quotes Zork, and says the text."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.recorded: list[list[int]] = []

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        self.recorded.append([result.document_id for result in results])
        for stored in self.texts(self.recorded[-1]):
            if "Zork" in stored.text:
                raise ValueError(f"cannot record {stored.text}")
        return super().record_recognised(results)


def test_a_defect_of_one_document_holds_up_no_other_and_ends_it_after_its_attempts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene("Ada", "Zork", "Oslo", "Lagos", store=Spoilt)
    assert scene.handle(scene.relay()) == 3
    for pause_s in (1, 2, 4, 8):
        scene.clock.sleep(pause_s - 0.5)
        assert scene.relay() == []
        scene.clock.sleep(0.5)
        scene.handle(scene.relay())
    dead = scene.store.document(scene.ids[1])
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.last_error(scene.ids[1]) == "its recognition failed: ValueError: cannot record Zork"
    assert scene.relay() == []
    assert "ValueError" in caplog.text
    assert "Zork" not in caplog.text


def test_defects_that_were_tried_before_do_not_stop_those_behind_them() -> None:
    scene = Scene("Zork", "Zork again", "Oslo", store=Spoilt)
    scene.store.begin_recognition(scene.ids)
    assert scene.handle(scene.relay()) == 1
    assert scene.store.recorded == [[id_] for id_ in scene.ids]
    assert scene.attempts() == [2, 2]


def test_no_text_is_blamed_while_the_service_fails_at_every_text() -> None:
    scene = Scene()
    scene.relay()
    scene.recogniser.failures = deque([CrashedError("out of memory")] * 1000)
    with pytest.raises(UnavailableError, match="every text"):
        scene.handle(scene.ids)
    assert scene.attempts() == [0, 0, 0]
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids


class Falls(FakeRecogniser):
    """A service that one text takes down, for longer than the handler is patient."""

    RESTART_S = 70.0

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.back_at = 0.0

    def recognise(self, texts: list[str]) -> tuple[str, list[Recognition]]:
        if self.clock.monotonic() < self.back_at:
            raise UnavailableError("down")
        try:
            return super().recognise(texts)
        except CrashedError:
            self.back_at = self.clock.monotonic() + self.RESTART_S
            raise


def test_a_text_that_takes_the_service_down_for_long_ends_and_holds_up_no_other() -> None:
    scene = Scene("Ada", "a broken text", "Oslo", "Lagos")
    recogniser = Falls(scene.clock)
    handle = replace(scene.handle, recogniser=recogniser)

    def pass_on_until_a_crash_or_the_end() -> None:
        before = recogniser.back_at
        while recogniser.back_at == before and scene.store.counts().documents["accepted"]:
            with suppress(UnavailableError):
                handle(scene.relay())
            scene.clock.sleep(5.0)

    pass_on_until_a_crash_or_the_end()
    assert scene.attempts() == [1, 1, 1, 1], "any of them may have been it"
    pass_on_until_a_crash_or_the_end()
    assert scene.attempts() == [2, 1, 1], "each was tried alone; those behind it wait for the service"
    pass_on_until_a_crash_or_the_end()
    assert scene.attempts() == [3], "what was tried more often came last"
    for _ in range(3):
        pass_on_until_a_crash_or_the_end()
    dead = scene.store.document(scene.ids[1])
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.counts().documents == {"recognised": 3, "complete": 1}


def test_what_kills_its_worker_is_tried_alone_and_ends() -> None:
    scene = Scene("Ada", "a deadly text", "Oslo")
    deadly = scene.ids[1]

    class Killed(BaseException):
        """The process is gone: nothing after this line runs in it."""

    class Deadly(FakeRecogniser):
        def recognise(self, texts: list[str]) -> tuple[str, list[Recognition]]:
            if any("deadly" in text for text in texts):
                raise Killed
            return super().recognise(texts)

    handle = replace(scene.handle, recogniser=Deadly())
    for _ in range(10):
        with suppress(Killed):
            handle(scene.ids)
    dead = scene.store.document(deadly)
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.unfinished() == 2
    assert scene.store.counts().documents["accepted"] == 0


def test_what_was_begun_before_waits_with_the_others_while_the_service_is_away() -> None:
    scene = Scene()
    scene.relay()
    scene.store.begin_recognition(scene.ids[:1])
    scene.recogniser.failures = deque([UnavailableError("down")] * 1000)
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert scene.attempts() == [1, 0, 0]
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids


@pytest.mark.parametrize(("form", "candidates"), [("per-span", [1, 1]), ("packed", [2]), ("propose", [2])])
def test_the_form_says_how_many_candidates_a_question_has(form: FormName, candidates: list[int]) -> None:
    scene = Scene("Ada met Zork")
    replace(scene.handle, form=Form(name=form))(scene.ids)
    questions: list[int] = []
    scene.store.publish_due("classify", limit=100, send=questions.extend)
    claims = [claim_one(scene.store, question_id, lease_s=1.0, max_attempts=5) for question_id in questions]
    assert [len(claim.candidates) for claim in claims if claim is not None] == candidates
