"""The store in memory: dead documents and questions that are tried again."""

from __future__ import annotations

from collections.abc import Collection

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Question
from workers.store.dead import Ref


class Dead(Memory):
    """The part of `workers.store.dead` that has others start again."""

    def replay(self, refs: Collection[Ref]) -> int:
        """See `workers.store.dead`."""
        return sum(map(self._replay, sorted(set(refs))))

    def _replay(self, ref: Ref) -> bool:
        if ref.kind == "document":
            document = self._documents.get(ref.id)
            is_dead = document is not None and document.state == "complete" and document.reason is not None
            if is_dead:
                document.state = "classified" if document.result else "accepted"
                document.reason, document.attempts, document.join_attempts = None, 0, 0
                document.replayed_at = document.not_before = self.now
                document.published_at = document.completed_at = None
        else:
            question = self._questions.get(ref.id)
            is_dead = question is not None and question.state == "dead"
            if is_dead:
                self._ask_again(question)
        self._news = self._news or is_dead
        return is_dead

    def _ask_again(self, question: Question) -> None:
        question.state, question.reason, question.attempts = "pending", None, 0
        question.fence += 1
        question.deadline_at = None if question.deadline_s is None else self.now + question.deadline_s
        question.created_at = question.not_before = self.now
        question.published_at = None
        if question.document.state in {"classified", "complete"}:
            question.document.state, question.document.published_at = "recognised", None
            question.document.join_attempts, question.document.reason = 0, None
        question.document.entities, question.document.completed_at = [], None
