"""Steps of the store's three ports that many contract tests take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linkner.spans import OUTSIDE, Entity, Recognition, ScoredSpan, Span
from tests.support.one_question import claim_one
from workers.ports import Answer, ClaimedQuestion, NewDocument, Outbox, Reader, Recognised, Stage, Store

TEXT = "Anna met Ümit 🇹🇷 in Oslo"
ANNA, UMIT, OSLO = Span(0, 4), Span(9, 13), Span(20, 24)
FOREVER_S = 3600.0
NEVER_S = 1e6


@dataclass(frozen=True)
class Ports:
    store: Store
    outbox: Outbox
    reader: Reader


def post(external_id: str = "1", *, text: str = TEXT, source: str = "test") -> NewDocument:
    return NewDocument(source=source, external_id=external_id, text=text)


def scored(span: Span, label: str = "person", *, uncertainty: float = 0.5) -> ScoredSpan:
    probability = 0.75
    other = OUTSIDE if label != OUTSIDE else "person"
    return ScoredSpan(span, label, probability, uncertainty, {label: probability, other: 1 - probability})


def recognised(
    document_id: int,
    *,
    entities: Sequence[ScoredSpan] = (),
    plausible: Sequence[ScoredSpan] = (),
    questions: Sequence[Sequence[ScoredSpan]] = (),
    skip_reason: str | None = None,
    deadline_s: float | None = None,
) -> Recognised:
    return Recognised(
        document_id=document_id,
        model="local-1",
        recognition=Recognition(tuple(entities), tuple(plausible)),
        questions=tuple(tuple(candidates) for candidates in questions),
        skip_reason=skip_reason,
        deadline_s=deadline_s,
    )


def answer(
    labels: Mapping[Span, str], *, raw: str = "person", replayed: bool = False, cached: bool = False
) -> Answer:
    return Answer(
        labels=labels,
        model="llm-1",
        prompt_version="p1",
        raw=raw,
        prompt_tokens=30,
        completion_tokens=2,
        replayed=replayed,
        cached=cached,
    )


def local(span: Span, label: str = "person") -> Entity:
    return Entity(span, label, "local", 0.75, 0.5)


def accept_one(ports: Ports, external_id: str = "1", *, text: str = TEXT) -> int:
    (accepted,) = ports.store.accept([post(external_id, text=text)])
    return accepted.document_id


def due(ports: Ports, stage: Stage, *, limit: int = 100) -> list[int]:
    """The ids that the relay would send now, which marks them as published."""
    sent: list[int] = []
    count = ports.outbox.publish_due(stage, limit=limit, send=sent.extend)
    assert count == len(sent)
    return sent


def ask(ports: Ports, *questions: Sequence[ScoredSpan], external_id: str = "1") -> tuple[int, list[int]]:
    """A document recognised with these questions; its id and theirs."""
    document_id = accept_one(ports, external_id)
    ports.store.record_recognised([recognised(document_id, questions=questions)])
    return document_id, due(ports, "classify")


def claimed(ports: Ports, question_id: int, *, lease_s: float = FOREVER_S) -> ClaimedQuestion:
    claim = claim_one(ports.store, question_id, lease_s=lease_s, max_attempts=5)
    assert claim is not None
    return claim


def sweep(
    ports: Ports,
    *,
    republish_after_s: float = NEVER_S,
    deadline_s: float = NEVER_S,
    document_deadline_s: float = NEVER_S,
) -> Mapping[str, int]:
    return ports.outbox.sweep(
        republish_after_s=republish_after_s,
        deadline_s=deadline_s,
        document_deadline_s=document_deadline_s,
    )


def status(ports: Ports, document_id: int) -> str:
    view = ports.reader.document(document_id)
    assert view is not None
    return view.status
