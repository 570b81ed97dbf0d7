"""The store in memory: its three ports with the semantics of PostgreSQL, on a given clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from linkner.linking import PROPOSED
from linkner.spans import Entity, LabelledSpan, ScoredSpan, Span
from tests.fakes.clock import FakeClock
from workers.ports import (
    ATTEMPTS_EXHAUSTED,
    DEADLINE,
    NO_ANSWER,
    Accepted,
    Answer,
    CacheCounts,
    CachedAnswer,
    Call,
    ClaimedQuestion,
    Clock,
    CostRow,
    CostsBy,
    Counts,
    DocumentView,
    EntityView,
    FeedItem,
    Joinable,
    NewDocument,
    Recalled,
    Recognised,
    Sender,
    Stage,
    StoredText,
)
from workers.store.dead import Ref

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_STATE_DUE: Mapping[Stage, str] = {"recognise": "accepted", "aggregate": "classified", "classify": "pending"}
_SWEPT = ("freed", "lost_documents", "lost_questions", "overdue_documents", "overdue_questions", "ended")
_STATUS = {
    "accepted": "accepted",
    "recognised": "provisional",
    "classified": "provisional",
    "complete": "final",
}


@dataclass
class _Document:
    id: int
    new: NewDocument
    accepted_at: float
    not_before: float
    state: str = "accepted"
    published_at: float | None = None
    replayed_at: float = float("-inf")
    completed_at: float | None = None
    reason: str | None = None
    attempts: int = 0
    last_error: str | None = None
    revision: int = 0
    result: Recognised | None = None
    entities: list[EntityView] = field(default_factory=list)


@dataclass
class _Question:
    id: int
    document: _Document
    candidates: tuple[ScoredSpan, ...]
    created_at: float
    not_before: float
    state: str = "pending"
    attempts: int = 0
    fence: int = 0
    lease_until: float = 0.0
    published_at: float | None = None
    reason: str | None = None
    last_error: str | None = None
    answer: Answer | None = None
    awaits: bytes | None = None
    deadline_at: float | None = None
    lane: str = "now"
    batch_id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state in {"pending", "claimed"}


@dataclass
class _Cached:
    """A row of the answer cache: a promise by a question, then with its answer."""

    question: _Question
    promised_until: float
    answered_at: float | None = None
    answer: CachedAnswer | None = None


class FakeStore:
    """ports.Store, ports.Outbox and ports.Reader over dictionaries; for one thread, and never unavailable."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._documents: dict[int, _Document] = {}
        self._questions: dict[int, _Question] = {}
        self._feed: list[tuple[int, int]] = []
        self._cache: dict[bytes, _Cached] = {}
        self._calls: list[tuple[float, str, Call]] = []
        self._news = True

    # Store

    def accept(self, documents: Sequence[NewDocument]) -> list[Accepted]:
        return [self._accept(new) for new in documents]

    def _accept(self, new: NewDocument) -> Accepted:
        stored = self._find(new.source, new.external_id)
        if stored is not None:
            return Accepted(stored.id, duplicate=True, conflict=stored.new.text != new.text)
        document = _Document(len(self._documents) + 1, new, accepted_at=self._now, not_before=self._now)
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
            document.published_at, document.not_before = None, self._now + delay_s
            document.last_error = error or document.last_error
            if error is None:
                document.attempts = attempts[document.id]
        return len(waiting)

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        by_id = {result.document_id: result for result in results}
        documents = self._in_state("accepted", by_id)
        for document in documents:
            self._record(document, by_id[document.id])
        return len(documents)

    def _record(self, document: _Document, result: Recognised) -> None:
        document.result, document.state, document.published_at = result, "recognised", None
        for candidates in result.questions:
            question = _Question(len(self._questions) + 1, document, candidates, self._now, self._now)
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

    def claim(self, question_id: int, *, lease_s: float, max_attempts: int) -> ClaimedQuestion | None:
        question = self._questions.get(question_id)
        if question is None or not self._is_claimable(question):
            return None
        if question.attempts >= max_attempts:
            self._end(question, state="dead", reason=ATTEMPTS_EXHAUSTED)
            return None
        question.state, question.lease_until = "claimed", self._now + lease_s
        question.fence += 1
        question.attempts += 1
        return ClaimedQuestion(
            question_id=question.id,
            document_id=question.document.id,
            fence=question.fence,
            attempts=question.attempts,
            source=question.document.new.source,
            text=question.document.new.text,
            candidates=tuple(sorted(candidate.span for candidate in question.candidates)),
        )

    def _is_claimable(self, question: _Question) -> bool:
        if question.state == "claimed":
            return question.lease_until <= self._now
        return question.state == "pending" and question.not_before <= self._now

    def recall(self, claim: ClaimedQuestion, key: bytes, *, max_age_s: float) -> Recalled:
        known, question = self._cache.get(key), self._held(claim)
        if self.is_known(key, max_age_s=max_age_s):
            return known.answer
        if question is None:
            return "stale"
        if known is None or known.answer is not None or known.promised_until <= self._now:
            known = self._cache[key] = _Cached(question, question.lease_until)
        if known.question is question:
            known.promised_until = question.lease_until
            return "ask"
        self.release(claim, delay_s=known.promised_until - self._now, error=None)
        question.awaits = key
        return "put-off"

    def record_answer(
        self,
        claim: ClaimedQuestion,
        answer: Answer,
        *,
        keep: CachedAnswer | None = None,
        call: Call | None = None,
    ) -> bool:
        question = self._held(claim)
        if question is None:
            return False
        question.answer = answer
        self._end(question, state="answered")
        if call is not None:
            self.record_call(claim, call)
        if keep is not None:
            self._cache[keep.key] = _Cached(question, self._now, self._now, keep)
            self._wake(keep.key)
        return True

    def record_call(self, claim: ClaimedQuestion, call: Call) -> None:
        self.add_call(claim.source, call)

    def _wake(self, key: bytes) -> None:
        for question in self._questions.values():
            if question.state == "pending" and question.awaits == key:
                question.not_before, question.awaits, self._news = self._now, None, True

    def release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> bool:
        question = self._held(claim)
        if question is None:
            return False
        question.state, question.published_at, question.not_before = "pending", None, self._now + delay_s
        question.attempts -= error is None
        question.last_error = error or question.last_error
        return True

    def end_question(self, claim: ClaimedQuestion, *, reason: str, error: str) -> bool:
        question = self._held(claim)
        if question is None:
            return False
        question.last_error = error
        self._end(question, state="dead", reason=reason)
        return True

    def purge_cache(self, *, older_than_s: float) -> int:
        oldest = self._now - older_than_s
        purged = [
            key
            for key, known in self._cache.items()
            if (known.promised_until <= self._now if known.answer is None else known.answered_at <= oldest)
        ]
        for key in purged:
            del self._cache[key]
        return len(purged)

    def joinable(self, document_ids: Collection[int]) -> list[Joinable]:
        return [self._joinable(document) for document in self._in_state("classified", document_ids)]

    def _joinable(self, document: _Document) -> Joinable:
        asked = dict(self._asked(document))
        entities = _in_text_order(document.result.recognition.entities)
        predicted = {entity.span for entity in entities}
        candidates = [scored for question in self._questions_of(document) for scored in question.candidates]
        answers = {
            span: q.answer.labels[span] for span, q in asked.items() if q.answer and span in q.answer.labels
        }
        return Joinable(
            document_id=document.id,
            entities=entities,
            plausible=_in_text_order([scored for scored in candidates if scored.span not in predicted]),
            answers=answers,
            unanswered={span: q.reason or NO_ANSWER for span, q in asked.items() if span not in answers},
            proposals=tuple(sorted(set(self._proposed(document)))),
        )

    def _proposed(self, document: _Document) -> dict[LabelledSpan, Answer]:
        """What the LLM added to the document's candidates, and the first answer that did."""
        answers = [question.answer for question in self._questions_of(document) if question.answer]
        return {added: answer for answer in reversed(answers) for added in answer.proposals}

    def complete(self, entities: Mapping[int, Sequence[Entity]]) -> int:
        documents = self._in_state("classified", entities)
        for document in documents:
            ordered = sorted(entities[document.id], key=lambda entity: entity.span)
            document.entities = [self._entity_view(document, entity) for entity in ordered]
            self._finish(document)
        return len(documents)

    # Outbox

    def publish_due(self, stage: Stage, *, limit: int, send: Sender) -> int:
        rows: Collection[Any] = self._questions.values() if stage == "classify" else self._documents.values()
        due = [
            row
            for row in rows
            if row.state == _STATE_DUE[stage] and row.published_at is None and row.not_before <= self._now
            if stage != "classify" or row.lane == "now"
        ]
        due = sorted(due, key=lambda row: (row.not_before, row.id))[:limit]
        if due:
            send([row.id for row in due])
        for row in due:
            row.published_at = self._now
        return len(due)

    def sweep(
        self, *, republish_after_s: float, deadline_s: float, document_deadline_s: float
    ) -> Mapping[str, int]:
        counts = Counter(dict.fromkeys(_SWEPT, 0))
        for question in self._questions.values():
            if question.state == "claimed" and question.lease_until <= self._now:
                question.state, question.published_at = "pending", None
                counts["freed"] += 1
        lost_before = self._now - republish_after_s
        counts["lost_documents"] = _unpublish(
            self._documents.values(), {"accepted", "classified"}, lost_before
        )
        counts["lost_questions"] = _unpublish(self._questions.values(), {"pending"}, lost_before)
        for question in self._questions.values():
            deadline_at = question.deadline_at
            if deadline_at is None:
                deadline_at = question.created_at + deadline_s
            if question.state == "pending" and deadline_at <= self._now:
                self._end(question, state="dead", reason=DEADLINE)
                counts["overdue_questions"] += 1
        overdue = [
            document.id
            for document in self._documents.values()
            if max(document.accepted_at, document.replayed_at) <= self._now - document_deadline_s
        ]
        counts["overdue_documents"] = self.fail_recognition(overdue, reason=DEADLINE, error=None)
        return counts

    def wait(self, *, timeout_s: float) -> bool:
        """Without news the clock moves on by the time-out."""
        news, self._news = self._news, False
        if not news:
            self._clock.sleep(timeout_s)
        return news

    # The dead

    def replay(self, refs: Collection[Ref]) -> int:
        """See `workers.store.dead`."""
        return sum(map(self._replay, sorted(set(refs))))

    def _replay(self, ref: Ref) -> bool:
        if ref.kind == "document":
            document = self._documents.get(ref.id)
            is_dead = document is not None and document.state == "complete" and document.reason is not None
            if is_dead:
                document.state, document.reason, document.attempts = "accepted", None, 0
                document.replayed_at = document.not_before = self._now
                document.published_at = document.completed_at = None
        else:
            question = self._questions.get(ref.id)
            is_dead = question is not None and question.state == "dead"
            if is_dead:
                self._ask_again(question)
        self._news = self._news or is_dead
        return is_dead

    def _ask_again(self, question: _Question) -> None:
        question.state, question.reason, question.attempts = "pending", None, 0
        if question.deadline_at is not None:
            question.deadline_at += self._now - question.created_at
        question.created_at = question.not_before = self._now
        question.published_at = None
        if question.document.state in {"classified", "complete"}:
            question.document.state, question.document.published_at = "recognised", None
        question.document.entities, question.document.completed_at = [], None

    # Reader

    def document(self, document_id: int) -> DocumentView | None:
        found = self._documents.get(document_id)
        return self._view(found) if found else None

    def find(self, *, source: str, external_id: str) -> DocumentView | None:
        found = self._find(source, external_id)
        return self._view(found) if found else None

    def feed(self, *, after: int, limit: int) -> list[FeedItem]:
        current = [
            FeedItem(cursor, self._view(document))
            for cursor, (id_, revision) in enumerate(self._feed, start=1)
            if cursor > after
            and (document := self._documents[id_]).revision == revision
            and document.state == "complete"
        ]
        return current[:limit]

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
            oldest_unfinished_s=self._now - min(unfinished, default=self._now),
        )

    def cache(self) -> CacheCounts:
        answered = [known for known in self._cache.values() if known.answer is not None]
        answers = [question.answer for question in self._questions.values() if question.answer]
        return CacheCounts(
            answers=len(answered),
            promised=sum(
                known.answer is None and known.promised_until > self._now for known in self._cache.values()
            ),
            oldest_s=self._now - min((known.answered_at for known in answered), default=self._now),
            bytes=0,
            answered=len(answers),
            from_cache=sum(answer.cached for answer in answers),
        )

    def unfinished(self) -> int:
        return sum(document.state != "complete" for document in self._documents.values())

    def ping(self) -> None:
        """The dictionaries can always be reached."""

    # Ledger

    def costs(self, by: CostsBy, *, within_s: float) -> list[CostRow]:
        groups: dict[str, list[Call]] = {}
        for called_at, source, call in self._calls:
            if called_at > self._now - within_s:
                names = {"source": source, "model": call.model, "endpoint": call.endpoint}
                names["day"] = f"{_as_time(called_at):%Y-%m-%d}"
                groups.setdefault(names[by], []).append(call)
        return [_cost_row(name, calls) for name, calls in sorted(groups.items())]

    def spent_today(self) -> Mapping[str, Decimal]:
        spent: dict[str, Decimal] = {}
        for called_at, source, call in self._calls:
            if _as_time(called_at).date() == _as_time(self._now).date() and call.cost is not None:
                spent[source] = spent.get(source, Decimal(0)) + call.cost
        return spent

    # For the fakes beside this one

    @property
    def now(self) -> float:
        return self._now

    @property
    def questions(self) -> Collection[_Question]:
        return self._questions.values()

    def add_call(self, source: str, call: Call) -> None:
        self._calls.append((self._now, source, call))

    def is_known(self, key: bytes, *, max_age_s: float) -> bool:
        """Whether the cache has an answer to the questions of this key that is not too old."""
        known = self._cache.get(key)
        return known is not None and known.answer is not None and known.answered_at > self._now - max_age_s

    # What they share

    @property
    def _now(self) -> float:
        return self._clock.monotonic()

    def _find(self, source: str, external_id: str) -> _Document | None:
        found = (
            document
            for document in self._documents.values()
            if (document.new.source, document.new.external_id) == (source, external_id)
        )
        return next(found, None)

    def _in_state(self, state: str, document_ids: Collection[int]) -> list[_Document]:
        found = (self._documents[id_] for id_ in sorted(set(document_ids)) if id_ in self._documents)
        return [document for document in found if document.state == state]

    def _held(self, claim: ClaimedQuestion) -> _Question | None:
        question = self._questions[claim.question_id]
        is_held = question.state == "claimed" and question.fence == claim.fence
        return question if is_held else None

    def _end(self, question: _Question, *, state: str, reason: str | None = None) -> None:
        question.state, question.reason = state, reason
        self._move_on(question.document)

    def _questions_of(self, document: _Document) -> Iterator[_Question]:
        return (question for question in self._questions.values() if question.document is document)

    def _asked(self, document: _Document) -> Iterator[tuple[Span, _Question]]:
        for question in self._questions_of(document):
            for candidate in question.candidates:
                yield candidate.span, question

    def _move_on(self, document: _Document) -> None:
        if document.state == "recognised" and not any(q.is_open for q in self._questions_of(document)):
            document.state, document.published_at, self._news = "classified", None, True

    def _finish(self, document: _Document) -> None:
        document.state, document.completed_at = "complete", self._now
        document.revision += 1
        self._feed.append((document.id, document.revision))

    def _view(self, document: _Document) -> DocumentView:
        entities = document.entities
        if document.state in {"recognised", "classified"}:
            entities = [
                self._entity_view(document, _as_local(scored))
                for scored in _in_text_order(document.result.recognition.entities)
            ]
        return DocumentView(
            document_id=document.id,
            source=document.new.source,
            external_id=document.new.external_id,
            text=document.new.text,
            created_at=document.new.created_at,
            metadata=document.new.metadata,
            accepted_at=_as_time(document.accepted_at),
            completed_at=None if document.completed_at is None else _as_time(document.completed_at),
            status=_STATUS[document.state],
            revision=document.revision,
            reason=document.reason,
            entities=tuple(entities),
        )

    def _entity_view(self, document: _Document, entity: Entity) -> EntityView:
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


def _cost_row(name: str, calls: Sequence[Call]) -> CostRow:
    return CostRow(
        name=name,
        calls=len(calls),
        replayed=sum(call.replayed for call in calls),
        unpriced=sum(call.cost is None for call in calls),
        prompt_tokens=sum(call.usage.prompt for call in calls),
        cached_prompt_tokens=sum(call.usage.cached_prompt for call in calls),
        completion_tokens=sum(call.usage.completion for call in calls),
        cost=sum((call.cost or Decimal(0) for call in calls), Decimal(0)),
    )


def _unpublish(rows: Collection[Any], states: Collection[str], published_before: float) -> int:
    lost = [
        row
        for row in rows
        if row.state in states and row.published_at is not None and row.published_at <= published_before
    ]
    for row in lost:
        row.published_at = None
    return len(lost)


def _in_text_order(spans: Collection[ScoredSpan]) -> tuple[ScoredSpan, ...]:
    return tuple(sorted(spans, key=lambda scored: scored.span))


def _as_local(scored: ScoredSpan) -> Entity:
    return Entity(scored.span, scored.label, "local", scored.probability, scored.uncertainty)


def _as_time(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
