"""The store in memory, as consumers and operators see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from linkner.spans import Entity, ScoredSpan
from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Document, Question, as_time, in_text_order
from workers.ports import Backlog, CacheCounts, Counts, DocumentView, FeedItem, Waits

_STATUS = {
    "accepted": "accepted",
    "recognised": "provisional",
    "classified": "provisional",
    "complete": "final",
}


class Reader(Memory):
    """ports.Reader."""

    def document(self, document_id: int) -> DocumentView | None:
        found = self._documents.get(document_id)
        return self._view(found) if found else None

    def find(self, *, source: str, external_id: str) -> DocumentView | None:
        found = self._find(source, external_id)
        return self._view(found) if found else None

    def feed(self, *, after: int, limit: int) -> list[FeedItem]:
        items = []
        for cursor, (id_, revision) in enumerate(self._feed, start=1):
            document = self._documents.get(id_)
            if revision is None:
                items.append(FeedItem(cursor, id_, None))
            elif document is not None and document.revision == revision and document.state == "complete":
                items.append(FeedItem(cursor, id_, self._view(document)))
        return [item for item in items if item.cursor > after][:limit]

    def answered(self, *, before: int, limit: int) -> list[DocumentView]:
        states: dict[int, set[str]] = {}
        for question in self._questions.values():
            states.setdefault(question.document.id, set()).add(question.state)
        found = [
            document
            for id_, document in sorted(self._documents.items(), reverse=True)
            if id_ < before and document.state == "complete" and document.reason is None
            if states.get(id_) == {"answered"}
        ]
        return [self._view(document) for document in found[:limit]]

    def counts(self) -> Counts:
        documents, questions = self._documents.values(), self._questions.values()
        unfinished = [document.accepted_at for document in documents if document.state != "complete"]
        return Counts(
            documents=Counter(document.state for document in documents),
            questions=Counter(question.state for question in questions),
            dead_reasons=Counter(question.reason for question in questions if question.state == "dead"),
            dead_documents=Counter(document.reason for document in documents if document.reason is not None),
            parked=0,
            decided_by=Counter(entity.decided_by for document in documents for entity in document.entities),
            replayed=sum(question.answer.replayed for question in questions if question.answer),
            cached=sum(question.answer.cached for question in questions if question.answer),
            oldest_unfinished_s=self.now - min(unfinished, default=self.now),
        )

    def backlog(self) -> Backlog:
        counts = self.counts()
        return Backlog(
            documents={state: n for state, n in counts.documents.items() if state != "complete"},
            questions={state: n for state, n in counts.questions.items() if state in {"pending", "claimed"}},
            dead_documents=counts.dead_documents,
            parked=counts.parked,
            oldest_unfinished_s=counts.oldest_unfinished_s,
            unfinished=self.unfinished(),
            waits={
                "recognise": self._waits(self._documents.values(), "accepted"),
                "classify": self._waits((q for q in self._questions.values() if q.lane == "now"), "pending"),
                "aggregate": self._waits(self._documents.values(), "classified"),
            },
            batch_due_s=self._waits(
                (q for q in self._questions.values() if q.lane == "batch" and q.batch_id is None), "pending"
            ).due_s,
            troubles=(),
        )

    def _waits(self, rows: Iterable[Document | Question], state: str) -> Waits:
        waiting = [row for row in rows if row.state == state]
        due = [row.not_before for row in waiting if row.published_at is None and row.not_before <= self.now]
        published = [row.published_at for row in waiting if row.published_at is not None]
        return Waits(
            due_s=self.now - min(due, default=self.now),
            published_s=self.now - min(published, default=self.now),
        )

    def cache(self) -> CacheCounts:
        answered = [known for known in self._cache.values() if known.answer is not None]
        answers = [question.answer for question in self._questions.values() if question.answer]
        return CacheCounts(
            answers=len(answered),
            promised=sum(
                known.answer is None and known.promised_until > self.now for known in self._cache.values()
            ),
            oldest_s=self.now - min((known.answered_at for known in answered), default=self.now),
            bytes=0,
            answered=len(answers),
            from_cache=sum(answer.cached for answer in answers),
        )

    def unfinished(self, *, up_to: int | None = None) -> int:
        found = sum(
            document.state != "complete"
            and not (document.state == "recognised" and document.result.lane == "batch")
            for document in self._documents.values()
        )
        return found if up_to is None else min(found, up_to)

    def ping(self) -> None:
        """The dictionaries can always be reached."""

    def _view(self, document: Document) -> DocumentView:
        entities = document.entities
        if document.state in {"recognised", "classified"}:
            entities = [
                self._entity_view(document, _as_local(scored))
                for scored in in_text_order(document.result.recognition.entities)
            ]
        return DocumentView(
            document_id=document.id,
            source=document.new.source,
            external_id=document.new.external_id,
            text=document.new.text,
            created_at=document.new.created_at,
            metadata=document.new.metadata,
            author=document.new.author,
            accepted_at=as_time(document.accepted_at),
            completed_at=None if document.completed_at is None else as_time(document.completed_at),
            status=_STATUS[document.state],
            revision=document.revision,
            reason=document.reason,
            entities=tuple(entities),
        )


def _as_local(scored: ScoredSpan) -> Entity:
    return Entity(scored.span, scored.label, "local", scored.probability, scored.uncertainty)
