"""Aggregation: local spans and LLM answers of documents joined into their final entities."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linkner.errors import ServiceError, UnavailableError
from linkner.linking import link
from workers.handlers.patience import patiently
from workers.ports import ATTEMPTS_EXHAUSTED, Clock, Store

log = logging.getLogger("linkner.aggregate")

_AWAY_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateDocuments:
    """Handles one `aggregate` message.

    A document that cannot be joined, for a defect in it or in this program, or that kills the process joining
    it, is tried `max_attempts` times and holds up no other. An attempt during which the store went away
    counts for nothing, if the store is back within `patience_s`.
    """

    store: Store
    clock: Clock
    max_attempts: int
    patience_s: float = 60.0

    def __call__(self, document_ids: Sequence[int]) -> int:
        """Finish those documents whose questions have all ended; how many were finished.

        What was begun before and did not come to an end is tried alone, so that it harms no other.

        Raises:
            UnavailableError: the store is away; what is left comes again.
        """
        attempts = self.store.join_attempts(document_ids)
        fresh = [document_id for document_id, before in attempts.items() if not before]
        alone = [[document_id] for document_id, before in attempts.items() if before]
        chunks = [fresh, *alone] if fresh else alone
        done = 0
        for position, chunk in enumerate(chunks):
            try:
                done += self._attempt(chunk, number=attempts[chunk[0]] + 1)
            except UnavailableError:
                self._put_back({id_: attempts[id_] for left in chunks[position:] for id_ in left})
                raise
        return done

    def _put_back(self, attempts: Mapping[int, int]) -> None:
        """Have the relay publish them again, as soon as the store is there, as if nothing had been tried."""
        patiently(
            lambda: self.store.release_joins(attempts, delay_s=_AWAY_PAUSE_S),
            clock=self.clock,
            patience_s=self.patience_s,
        )

    def _attempt(self, document_ids: Sequence[int], *, number: int) -> int:
        if number > self.max_attempts:
            error = f"none of {self.max_attempts} attempts came to an end"
            return self.store.fail_join(document_ids[0], reason=ATTEMPTS_EXHAUSTED, error=error)
        self.store.begin_join(document_ids)
        return self._join(document_ids, attempt=number)

    def _join(self, document_ids: Sequence[int], *, attempt: int) -> int:
        try:
            return self._link(document_ids)
        except ServiceError:
            raise
        except Exception as error:
            if len(document_ids) == 1:
                return self._without_result(document_ids[0], error, attempt=attempt)
            middle = len(document_ids) // 2
            halves = document_ids[:middle], document_ids[middle:]
            return sum(self._join(half, attempt=attempt) for half in halves)

    def _link(self, document_ids: Sequence[int]) -> int:
        documents = self.store.joinable(document_ids)
        linked = {
            document.document_id: link(
                entities=document.entities,
                plausible=document.plausible,
                answers=document.answers,
                unanswered=document.unanswered,
                proposals=document.proposals,
            )
            for document in documents
        }
        fences = {document.document_id: document.fence for document in documents}
        return self.store.complete(linked, fences=fences)

    def _without_result(self, document_id: int, error: Exception, *, attempt: int) -> int:
        """Try the document again later; end it after its attempts. The log does not quote the error: it may
        quote the text."""
        problem = f"its join failed: {type(error).__name__}: {error}"
        if attempt < self.max_attempts:
            log.warning("action=put-off document=%s error=%s", document_id, type(error).__name__)
            self.store.defer_join(document_id, delay_s=0.5 * 2**attempt, error=problem)
            return 0
        log.error("action=dead document=%s error=%s", document_id, type(error).__name__)
        return self.store.fail_join(document_id, reason=ATTEMPTS_EXHAUSTED, error=problem)
