"""The store in memory: documents whose questions have all ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from linkner.spans import Entity
from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Document, in_text_order
from workers.ports import NO_ANSWER, Joinable


class Joining(Memory):
    """The part of ports.Store that the aggregator uses."""

    def join_attempts(self, document_ids: Collection[int]) -> Mapping[int, int]:
        documents = self._in_state("classified", document_ids)
        return {document.id: document.join_attempts for document in documents}

    def begin_join(self, document_ids: Collection[int]) -> int:
        documents = self._in_state("classified", document_ids)
        for document in documents:
            document.join_attempts += 1
        return len(documents)

    def joinable(self, document_ids: Collection[int]) -> list[Joinable]:
        return [self._joinable(document) for document in self._in_state("classified", document_ids)]

    def _joinable(self, document: Document) -> Joinable:
        asked = dict(self._asked(document))
        entities = in_text_order(document.result.recognition.entities)
        predicted = {entity.span for entity in entities}
        candidates = [scored for question in self._questions_of(document) for scored in question.candidates]
        answers = {
            span: q.answer.labels[span] for span, q in asked.items() if q.answer and span in q.answer.labels
        }
        return Joinable(
            document_id=document.id,
            entities=entities,
            plausible=in_text_order([scored for scored in candidates if scored.span not in predicted]),
            answers=answers,
            unanswered={span: q.reason or NO_ANSWER for span, q in asked.items() if span not in answers},
            fence=self._fence(document),
            proposals=tuple(sorted(set(self._proposed(document)))),
        )

    def _fence(self, document: Document) -> int:
        return sum(question.fence for question in self._questions_of(document))

    def complete(self, entities: Mapping[int, Sequence[Entity]], *, fences: Mapping[int, int]) -> int:
        documents = [
            document
            for document in self._in_state("classified", entities)
            if fences.get(document.id) == self._fence(document)
        ]
        for document in documents:
            ordered = sorted(entities[document.id], key=lambda entity: entity.span)
            document.entities = [self._entity_view(document, entity) for entity in ordered]
            self._finish(document)
        return len(documents)

    def defer_join(self, document_id: int, *, delay_s: float, error: str) -> bool:
        documents = self._in_state("classified", [document_id])
        for document in documents:
            document.published_at, document.not_before = None, self.now + delay_s
            document.last_error = error
        return bool(documents)

    def release_joins(self, attempts: Mapping[int, int], *, delay_s: float) -> int:
        documents = self._in_state("classified", attempts)
        for document in documents:
            document.published_at, document.not_before = None, self.now + delay_s
            document.join_attempts = attempts[document.id]
        return len(documents)

    def fail_join(self, document_id: int, *, reason: str, error: str) -> bool:
        documents = self._in_state("classified", [document_id])
        for document in documents:
            document.reason, document.last_error = reason, error
            self._finish(document)
        return bool(documents)

    def last_error(self, document_id: int) -> str | None:
        """What `linkner dead` shows of a document."""
        return self._documents[document_id].last_error
