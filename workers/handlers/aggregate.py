"""Aggregation: local spans and LLM answers of documents joined into their final entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linkner.linking import link
from workers.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateDocuments:
    """Handles one `aggregate` message."""

    store: Store

    def __call__(self, document_ids: Sequence[int]) -> int:
        """Finish those documents whose questions have all ended; how many were finished."""
        joinable = self.store.joinable(document_ids)
        if not joinable:
            return 0
        return self.store.complete(
            {
                document.document_id: link(
                    entities=document.entities,
                    plausible=document.plausible,
                    answers=document.answers,
                    unanswered=document.unanswered,
                    proposals=document.proposals,
                )
                for document in joinable
            }
        )
