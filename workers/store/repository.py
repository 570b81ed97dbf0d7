"""The Store port on PostgreSQL: each method is one transaction around one function of this package."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Engine

from linkner.spans import Entity
from workers.ports import (
    Accepted,
    Answered,
    Call,
    ClaimedQuestion,
    Joinable,
    NewDocument,
    Recalled,
    Recognised,
    StoredText,
)
from workers.store import accepting, answer_cache, asking, finishing, recognising, spending
from workers.store.database import in_transaction


class PostgresStore:
    """Documents, questions and entities in PostgreSQL; thread-safe.

    Every method raises UnavailableError where the database cannot answer now. Its transaction has then not
    been seen to commit: all methods may be called again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def accept(self, documents: Sequence[NewDocument]) -> list[Accepted]:
        return in_transaction(self._engine, accepting.accept, documents)

    def texts(self, document_ids: Collection[int]) -> list[StoredText]:
        return in_transaction(self._engine, accepting.texts, document_ids)

    def begin_recognition(self, document_ids: Collection[int]) -> int:
        return in_transaction(self._engine, accepting.begin_recognition, document_ids)

    def defer(self, documents: Collection[StoredText], *, delay_s: float, error: str | None) -> int:
        return in_transaction(self._engine, accepting.defer, documents, delay_s=delay_s, error=error)

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        return in_transaction(self._engine, recognising.record_recognised, results)

    def fail_recognition(self, document_ids: Collection[int], *, reason: str, error: str | None) -> int:
        return in_transaction(
            self._engine, finishing.fail_recognition, document_ids, reason=reason, error=error
        )

    def claim(
        self, question_ids: Collection[int], *, lease_s: float, max_attempts: int
    ) -> list[ClaimedQuestion]:
        return in_transaction(
            self._engine, asking.claim, question_ids, lease_s=lease_s, max_attempts=max_attempts
        )

    def recall(self, asked: Sequence[tuple[ClaimedQuestion, bytes]], *, max_age_s: float) -> list[Recalled]:
        return in_transaction(self._engine, answer_cache.recall, asked, max_age_s=max_age_s)

    def record_answers(self, answered: Sequence[Answered]) -> list[bool]:
        return in_transaction(self._engine, asking.record_answers, answered)

    def record_call(self, claim: ClaimedQuestion, call: Call) -> None:
        paid = [(claim.question_id, claim.source, call)]
        in_transaction(self._engine, spending.record_calls, paid)

    def release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> bool:
        return in_transaction(self._engine, asking.release, claim, delay_s=delay_s, error=error)

    def end_question(self, claim: ClaimedQuestion, *, reason: str, error: str) -> bool:
        return in_transaction(self._engine, asking.end_question, claim, reason=reason, error=error)

    def purge_cache(self, *, older_than_s: float, model: str | None = None) -> int:
        return in_transaction(self._engine, answer_cache.purge, older_than_s=older_than_s, model=model)

    def join_attempts(self, document_ids: Collection[int]) -> Mapping[int, int]:
        return in_transaction(self._engine, finishing.join_attempts, document_ids)

    def begin_join(self, document_ids: Collection[int]) -> int:
        return in_transaction(self._engine, finishing.begin_join, document_ids)

    def joinable(self, document_ids: Collection[int]) -> list[Joinable]:
        return in_transaction(self._engine, finishing.joinable, document_ids)

    def complete(self, entities: Mapping[int, Sequence[Entity]], *, fences: Mapping[int, int]) -> int:
        return in_transaction(self._engine, finishing.complete, entities, fences=fences)

    def defer_join(self, document_id: int, *, delay_s: float, error: str) -> bool:
        return in_transaction(self._engine, finishing.defer_join, document_id, delay_s=delay_s, error=error)

    def release_joins(self, attempts: Mapping[int, int], *, delay_s: float) -> int:
        return in_transaction(self._engine, finishing.release_joins, attempts, delay_s=delay_s)

    def fail_join(self, document_id: int, *, reason: str, error: str) -> bool:
        return in_transaction(self._engine, finishing.fail_join, document_id, reason=reason, error=error)
