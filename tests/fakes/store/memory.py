"""What the parts of the store in memory share: its rows, and how they move on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from linkner.linking import PROPOSED
from linkner.spans import Entity, LabelledSpan, Span
from tests.fakes.clock import FakeClock
from tests.fakes.store.rows import Cached, Document, Question
from workers.ports import Answer, Call, ClaimedQuestion, Clock, EntityView


class Memory:
    """The rows as dictionaries, on a given clock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._documents: dict[int, Document] = {}
        self._questions: dict[int, Question] = {}
        self._feed: list[tuple[int, int | None]] = []
        self._last_ids = {"document": 0, "question": 0}
        self._cache: dict[bytes, Cached] = {}
        self._calls: list[tuple[float, str, Call]] = []
        self._expected: dict[int, Mapping[str, Decimal]] = {}
        self._news = True

    def expect(self, batch_id: int, estimate: Mapping[str, Decimal]) -> None:
        """Reckon with this cost of a batch, by source."""
        self._expected[batch_id] = estimate

    @property
    def questions(self) -> Collection[Question]:
        return self._questions.values()

    def add_call(self, source: str, call: Call) -> None:
        self._calls.append((self.now, source, call))

    def is_known(self, key: bytes, *, max_age_s: float) -> bool:
        """Whether the cache has an answer to the questions of this key that is not too old."""
        known = self._cache.get(key)
        return known is not None and known.answer is not None and known.answered_at > self.now - max_age_s

    @property
    def now(self) -> float:
        return self._clock.monotonic()

    def _find(self, source: str, external_id: str) -> Document | None:
        found = (
            document
            for document in self._documents.values()
            if (document.new.source, document.new.external_id) == (source, external_id)
        )
        return next(found, None)

    def _in_state(self, state: str, document_ids: Collection[int]) -> list[Document]:
        found = (self._documents[id_] for id_ in sorted(set(document_ids)) if id_ in self._documents)
        return [document for document in found if document.state == state]

    def _held(self, claim: ClaimedQuestion) -> Question | None:
        question = self._questions.get(claim.question_id)
        is_held = question is not None and question.state == "claimed" and question.fence == claim.fence
        return question if is_held else None

    def _next_id(self, kind: str) -> int:
        self._last_ids[kind] += 1
        return self._last_ids[kind]

    def _end(self, question: Question, *, state: str, reason: str | None = None) -> None:
        question.state, question.reason = state, reason
        self._move_on(question.document)

    def _questions_of(self, document: Document) -> Iterator[Question]:
        return (question for question in self._questions.values() if question.document is document)

    def _asked(self, document: Document) -> Iterator[tuple[Span, Question]]:
        for question in self._questions_of(document):
            for candidate in question.candidates:
                yield candidate.span, question

    def _proposed(self, document: Document) -> dict[LabelledSpan, Answer]:
        """What the LLM added to the document's candidates, and the first answer that did."""
        answers = [question.answer for question in self._questions_of(document) if question.answer]
        return {added: answer for answer in reversed(answers) for added in answer.proposals}

    def _move_on(self, document: Document) -> None:
        if document.state == "recognised" and not any(q.is_open for q in self._questions_of(document)):
            document.state, document.published_at, self._news = "classified", None, True
            document.not_before = self.now

    def _finish(self, document: Document) -> None:
        document.state, document.completed_at = "complete", self.now
        document.revision += 1
        self._feed.append((document.id, document.revision))

    def _entity_view(self, document: Document, entity: Entity) -> EntityView:
        answer = None
        if entity.decided_by == "llm":
            added = LabelledSpan(entity.span, entity.label)
            answer = (
                self._proposed(document)[added]
                if entity.reason == PROPOSED
                else dict(self._asked(document))[entity.span].answer
            )
        return EntityView(
            start=entity.span.start,
            end=entity.span.end,
            text=entity.span.of(document.new.text),
            label=entity.label,
            decided_by=entity.decided_by,
            reason=entity.reason,
            probability=entity.probability,
            uncertainty=entity.uncertainty,
            model=document.result.model,
            llm_model=answer.model if answer else None,
            prompt_version=answer.prompt_version if answer else None,
            replayed=answer.replayed if answer else False,
            cached=answer.cached if answer else False,
        )
