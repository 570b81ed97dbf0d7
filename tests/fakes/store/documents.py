"""The store in memory: documents until they are recognised."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import get_args

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Document, Question
from workers.ports import Accepted, NewDocument, QuestionLane, Recognised, StoredText


class Documents(Memory):
    """The part of ports.Store that handlers of documents use."""

    def accept(self, documents: Sequence[NewDocument]) -> list[Accepted]:
        return [self._accept(new) for new in documents]

    def _accept(self, new: NewDocument) -> Accepted:
        stored = self._find(new.source, new.external_id)
        if stored is not None:
            return Accepted(stored.id, duplicate=True, conflict=stored.new.text != new.text)
        document = Document(self._next_id("document"), new, accepted_at=self.now, not_before=self.now)
        self._documents[document.id] = document
        self._news = True
        return Accepted(document.id, duplicate=False, conflict=False)

    def texts(self, document_ids: Collection[int]) -> list[StoredText]:
        return [
            StoredText(
                document_id=found.id,
                source=found.new.source,
                text=found.new.text,
                attempts=found.attempts,
                lane=found.new.lane,
                deadline_s=found.new.deadline_s,
            )
            for found in self._in_state("accepted", document_ids)
        ]

    def begin_recognition(self, document_ids: Collection[int]) -> int:
        documents = self._in_state("accepted", document_ids)
        for document in documents:
            document.attempts += 1
        return len(documents)

    def defer(self, documents: Collection[StoredText], *, delay_s: float, error: str | None) -> int:
        attempts = {stored.document_id: stored.attempts for stored in documents}
        waiting = self._in_state("accepted", attempts)
        for document in waiting:
            document.published_at, document.not_before = None, self.now + delay_s
            document.last_error = error or document.last_error
            if error is None:
                document.attempts = attempts[document.id]
        return len(waiting)

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        by_id = {result.document_id: result for result in results}
        documents = self._in_state("accepted", by_id)
        for document in documents:
            _check(by_id[document.id])
        for document in documents:
            self._record(document, by_id[document.id])
        return len(documents)

    def _record(self, document: Document, result: Recognised) -> None:
        document.result, document.state, document.published_at = result, "recognised", None
        for candidates in result.questions:
            question = Question(self._next_id("question"), document, candidates, self.now, self.now)
            question.deadline_s = result.deadline_s
            if result.deadline_s is not None:
                question.deadline_at = max(document.accepted_at, document.replayed_at) + result.deadline_s
            question.lane = result.lane
            if result.skip_reason is not None:
                question.state, question.reason = "dead", result.skip_reason
            self._questions[question.id] = question
        self._move_on(document)
        self._news = True

    def fail_recognition(self, document_ids: Collection[int], *, reason: str, error: str | None) -> int:
        documents = self._in_state("accepted", document_ids)
        for document in documents:
            document.reason, document.last_error = reason, error or document.last_error
            self._finish(document)
        return len(documents)


def _check(result: Recognised) -> None:
    """Refuse what the check of the table refuses."""
    if result.questions and result.lane not in get_args(QuestionLane):
        raise ValueError(f"no question can have the lane {result.lane!r}")
