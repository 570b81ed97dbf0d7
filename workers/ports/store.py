"""The store, as handlers write to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from linkner.spans import Entity
from workers.ports.documents import Accepted, NewDocument, Recognised, StoredText
from workers.ports.ledger import Call
from workers.ports.questions import Answered, ClaimedQuestion, Joinable, Recalled


class Store(Protocol):
    """The truth: PostgreSQL. Every method is one transaction."""

    def accept(self, documents: Sequence[NewDocument]) -> list[Accepted]:
        """Insert new documents; one result for each, in order. Idempotent by (source, external_id)."""

    def texts(self, document_ids: Collection[int]) -> list[StoredText]:
        """The texts of those documents that still wait for recognition, by id."""

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        """Write spans and questions and move documents on; how many had not been recognised before."""

    def begin_recognition(self, document_ids: Collection[int]) -> int:
        """Count an attempt at those documents that wait for recognition; how many.

        It comes before the work: a text that kills the process that works on it is counted too.
        """

    def fail_recognition(self, document_ids: Collection[int], *, reason: str, error: str | None) -> int:
        """End documents that cannot be recognised: no entities, with the reason; how many."""

    def defer(self, documents: Collection[StoredText], *, delay_s: float, error: str | None) -> int:
        """Have the relay publish documents that wait for recognition again after the delay; how many.

        With `error` the attempt at them counts; without, their count is what it was when they were read.
        """

    def claim(
        self, question_ids: Collection[int], *, lease_s: float, max_attempts: int
    ) -> list[ClaimedQuestion]:
        """Take those questions that have not ended and are not held, by id; poisoned ones end here."""

    def recall(self, asked: Sequence[tuple[ClaimedQuestion, bytes]], *, max_age_s: float) -> list[Recalled]:
        """For each claim the answer to the questions of its key, where one younger than `max_age_s` is known.

        `ask`: none is, and this claim has now promised to get it before its lease ends. `put-off`: another
        claim has; the question was given back, and comes when the answer does or that lease ends, without
        counting as an attempt. `stale`: the claim is no longer held. Each question has one claim here.
        """

    def record_answers(self, answered: Sequence[Answered]) -> list[bool]:
        """Write the answers; False for each whose fence is stale and of which nothing was written."""

    def record_call(self, claim: ClaimedQuestion, call: Call) -> None:
        """Write what a call used and cost whose reply became no answer."""

    def release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> bool:
        """Give a question back, to be published again after the delay.

        With `error` the attempt counts; without, it does not (nothing was asked).
        """

    def end_question(self, claim: ClaimedQuestion, *, reason: str, error: str) -> bool:
        """End a question without an answer; False where the fence is stale."""

    def purge_cache(self, *, older_than_s: float, model: str | None = None) -> int:
        """Forget the cache's answers from before that, and promises that ended without one; how many.

        With `model` only the answers that it gave.
        """

    def join_attempts(self, document_ids: Collection[int]) -> Mapping[int, int]:
        """How often the join of each of those documents was begun that are to be joined, by id."""

    def begin_join(self, document_ids: Collection[int]) -> int:
        """Count an attempt at joining those documents that are to be joined; how many.

        It comes before the work: a document that kills the process that joins it is counted too.
        """

    def joinable(self, document_ids: Collection[int]) -> list[Joinable]:
        """Those documents whose questions have all ended and which are not complete yet."""

    def complete(self, entities: Mapping[int, Sequence[Entity]], *, fences: Mapping[int, int]) -> int:
        """Write entities and feed rows and finish documents; how many had not been complete before.

        Of a document that is not as it was when it was read (its fence is stale) nothing is written.
        """

    def defer_join(self, document_id: int, *, delay_s: float, error: str) -> bool:
        """Have the relay publish a document that is to be joined again after the delay; whether it was."""

    def release_joins(self, attempts: Mapping[int, int], *, delay_s: float) -> int:
        """Have the relay publish documents that are to be joined again after the delay; how many.

        `attempts` is how often each was begun when it was read, by id: none is counted since.
        """

    def fail_join(self, document_id: int, *, reason: str, error: str) -> bool:
        """End a document that cannot be joined: no entities, with the reason; whether it was to be joined."""
