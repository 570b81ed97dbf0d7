"""What the local model found is recorded once, in memory and in PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from linkner.spans import OUTSIDE
from tests.contract.store.scene import (
    ANNA,
    FOREVER_S,
    OSLO,
    TEXT,
    UMIT,
    Ports,
    accept_one,
    ask,
    claimed,
    due,
    recognised,
    scored,
)
from workers.ports import NewDocument
from workers.store.repository import PostgresStore


class TestRecognition:
    def test_only_documents_that_wait_have_texts(self, ports: Ports) -> None:
        first, second = accept_one(ports, "1", text="one"), accept_one(ports, "2", text="two")
        ports.store.record_recognised([recognised(first)])
        stored = ports.store.texts([second, first, second + 1_000])
        assert [(found.document_id, found.text) for found in stored] == [(second, "two")]

    def test_without_questions_a_document_goes_to_aggregation(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        assert ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])]) == 1
        assert due(ports, "classify") == []
        assert due(ports, "aggregate") == [document_id]

    def test_a_lane_that_is_a_policy_s_is_not_the_document_s_own(self, engine: Engine) -> None:
        store = PostgresStore(engine)
        posts = [NewDocument("test", "1", TEXT), NewDocument("test", "2", TEXT, lane="never")]
        ids = [new.document_id for new in store.accept(posts)]
        store.record_recognised([replace(recognised(document_id), lane="now") for document_id in ids])
        with engine.connect() as connection:
            lanes = connection.execute(text("SELECT lane FROM documents ORDER BY id")).scalars().all()
        assert lanes == [None, "never"]

    def test_recording_twice_changes_nothing(self, ports: Ports) -> None:
        result = recognised(accept_one(ports), entities=[scored(ANNA)], questions=[[scored(ANNA)]])
        assert ports.store.record_recognised([result, result]) == 1
        assert ports.store.record_recognised([result]) == 0
        assert len(due(ports, "classify")) == 1

    def test_questions_go_to_classification(self, ports: Ports) -> None:
        document_id, questions = ask(ports, [scored(ANNA)], [scored(UMIT, OUTSIDE)])
        assert len(questions) == 2
        assert due(ports, "aggregate") == []
        claim = claimed(ports, questions[0])
        assert (claim.document_id, claim.text, claim.candidates) == (document_id, TEXT, (ANNA,))
        assert (claim.attempts, claim.fence) == (1, 1)

    def test_questions_not_to_be_asked_end_with_the_reason(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        result = recognised(
            document_id,
            entities=[scored(ANNA)],
            questions=[[scored(ANNA)], [scored(UMIT, OUTSIDE)]],
            skip_reason="no-llm",
        )
        ports.store.record_recognised([result])
        assert due(ports, "classify") == []
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.unanswered == {ANNA: "no-llm", UMIT: "no-llm"}
        assert ports.reader.counts().dead_reasons == {"no-llm": 2}

    def test_a_document_that_cannot_be_recognised_is_finished_with_the_reason(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        assert ports.store.fail_recognition([document_id], reason="refused", error="400") == 1
        assert ports.store.fail_recognition([document_id], reason="again", error=None) == 0
        (item,) = ports.reader.feed(after=0, limit=10)
        view = item.document
        assert (view.status, view.reason, view.revision, view.entities) == ("final", "refused", 1, ())
        assert ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])]) == 0

    def test_the_local_result_can_be_read_at_once(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        result = recognised(
            document_id,
            entities=[scored(OSLO, "location"), scored(ANNA)],
            questions=[[scored(ANNA)], [scored(UMIT, OUTSIDE)]],
        )
        ports.store.record_recognised([result])
        view = ports.reader.document(document_id)
        assert (view.status, view.revision, view.completed_at) == ("provisional", 0, None)
        assert [(e.text, e.label, e.decided_by, e.model) for e in view.entities] == [
            ("Anna", "person", "local", "local-1"),
            ("Oslo", "location", "local", "local-1"),
        ]

    def test_deferred_documents_are_published_later(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        waiting = ports.store.texts([document_id])
        assert due(ports, "recognise") == [document_id]
        assert ports.store.defer(waiting, delay_s=FOREVER_S, error=None) == 1
        assert due(ports, "recognise") == []
        assert ports.store.defer(waiting, delay_s=0.0, error=None) == 1
        assert due(ports, "recognise") == [document_id]
        ports.store.record_recognised([recognised(document_id)])
        assert ports.store.defer(waiting, delay_s=0.0, error=None) == 0

    @pytest.mark.parametrize(("error", "attempts"), [("HTTP 500", 1), (None, 0)])
    def test_only_a_deferral_with_an_error_counts_as_an_attempt(
        self, ports: Ports, error: str | None, attempts: int
    ) -> None:
        document_id = accept_one(ports)
        waiting = ports.store.texts([document_id])
        assert ports.store.begin_recognition([document_id]) == 1
        assert ports.store.texts([document_id])[0].attempts == 1
        ports.store.defer(waiting, delay_s=0.0, error=error)
        assert ports.store.texts([document_id])[0].attempts == attempts

    def test_what_is_recognised_is_not_begun_again(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        ports.store.record_recognised([recognised(document_id)])
        assert ports.store.begin_recognition([document_id]) == 0

    def test_no_question_has_a_lane_in_which_none_is_asked(self, ports: Ports) -> None:
        good, bad = (accept_one(ports, external_id) for external_id in "12")
        results = [
            recognised(id_, questions=[[scored(ANNA)]], skip_reason="lane-never") for id_ in (good, bad)
        ]
        results[1] = replace(results[1], lane="never")  # type: ignore[arg-type]
        with pytest.raises((ValueError, IntegrityError)):
            ports.store.record_recognised(results)
        assert [stored.document_id for stored in ports.store.texts([good, bad])] == [good, bad]
        assert ports.store.record_recognised(results[:1]) == 1
