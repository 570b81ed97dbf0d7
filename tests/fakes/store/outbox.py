"""The store in memory, as the relay sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Question
from workers.ports import DEADLINE, Sender, Stage

_STATE_DUE: Mapping[Stage, str] = {"recognise": "accepted", "aggregate": "classified", "classify": "pending"}


class Outbox(Memory):
    """ports.Outbox."""

    def publish_due(self, stage: Stage, *, limit: int, send: Sender) -> int:
        rows: Collection[Any] = self._questions.values() if stage == "classify" else self._documents.values()
        due = [
            row
            for row in rows
            if row.state == _STATE_DUE[stage] and row.published_at is None and row.not_before <= self.now
            if stage != "classify" or row.lane == "now"
        ]
        due = sorted(due, key=lambda row: (row.not_before, row.id))[:limit]
        if due:
            send([row.id for row in due])
        for row in due:
            row.published_at = self.now
        return len(due)

    def sweep(
        self, *, republish_after_s: float, deadline_s: float, document_deadline_s: float
    ) -> Mapping[str, int]:
        lost_before = self.now - republish_after_s
        return {
            "freed": self._free_expired_leases(),
            "lost_documents": _unpublish(self._documents.values(), {"accepted", "classified"}, lost_before),
            "lost_questions": _unpublish(self._questions.values(), {"pending"}, lost_before),
            "overdue_questions": self._end_overdue_questions(deadline_s),
            "overdue_documents": self._end_overdue_documents(document_deadline_s),
            "ended": 0,
        }

    def _free_expired_leases(self) -> int:
        expired = [q for q in self.questions if q.state == "claimed" and q.lease_until <= self.now]
        for question in expired:
            question.state, question.published_at = "pending", None
        return len(expired)

    def _end_overdue_questions(self, deadline_s: float) -> int:
        overdue = [
            question
            for question in self.questions
            if question.state == "pending" and _deadline_at(question, deadline_s) <= self.now
        ]
        for question in overdue:
            self._end(question, state="dead", reason=DEADLINE)
        return len(overdue)

    def _end_overdue_documents(self, deadline_s: float) -> int:
        overdue = [
            document
            for document in self._in_state("accepted", self._documents)
            if max(document.accepted_at, document.replayed_at) <= self.now - deadline_s
        ]
        for document in overdue:
            document.reason = DEADLINE
            self._finish(document)
        return len(overdue)

    def wait(self, *, timeout_s: float) -> bool:
        """Without news the clock moves on by the time-out."""
        news, self._news = self._news, False
        if not news:
            self._clock.sleep(timeout_s)
        return news


def _deadline_at(question: Question, deadline_s: float) -> float:
    return question.created_at + deadline_s if question.deadline_at is None else question.deadline_at


def _unpublish(rows: Collection[Any], states: Collection[str], published_before: float) -> int:
    lost = [
        row
        for row in rows
        if row.state in states and row.published_at is not None and row.published_at <= published_before
    ]
    for row in lost:
        row.published_at = None
    return len(lost)
