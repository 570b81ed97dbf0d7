"""Documents, the feed and the state of the system as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from broker.endpoints import Endpoint
from broker.limits import LimiterState
from workers.ports import Counts, DocumentView, EntityView, FeedItem


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its entities; offsets are half-open, in Unicode code points of `text`.

    `status`: `accepted` (nothing known yet), `provisional` (the local model's entities) or `final`.
    """

    id: int
    source: str
    external_id: str
    text: str
    created_at: datetime | None
    metadata: Mapping[str, Any]
    author: str | None
    accepted_at: datetime
    completed_at: datetime | None
    status: Literal["accepted", "provisional", "final"]
    revision: int
    reason: str | None
    entities: tuple[EntityView, ...]

    @classmethod
    def of(cls, view: DocumentView) -> Document:
        values = _values(view)
        return cls(id=values.pop("document_id"), **values)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A finished document, and the cursor after it."""

    cursor: int
    document: Document


@dataclass(frozen=True, slots=True)
class ErasedEntry:
    """The id of a document that an earlier page had and that was erased, and the cursor after it."""

    cursor: int
    id: int


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Finished documents in commit order; ask again with `after=next`, which repeats and misses nothing.

    What is `erased` a reader is to forget. It comes in the same order, by its cursor.
    """

    items: list[FeedEntry]
    erased: list[ErasedEntry]
    next: int

    @classmethod
    def of(cls, items: Sequence[FeedItem], *, after: int) -> FeedPage:
        return cls(
            items=[FeedEntry(item.cursor, Document.of(item.document)) for item in items if item.document],
            erased=[ErasedEntry(item.cursor, item.document_id) for item in items if not item.document],
            next=items[-1].cursor if items else after,
        )


@dataclass(frozen=True, slots=True)
class Readiness:
    """`store` and `broker` are `ok`, or say why not; `broker` is `unused` where the gateway has none."""

    ready: bool
    store: str
    broker: str


@dataclass(frozen=True, slots=True)
class LlmStatus:
    """One model of an LLM endpoint, as all who ask it share its limits.

    Where `breaker` is `open` nobody asks it for `open_s` seconds more; then one call is made, to see whether
    it answers (`probing`). `hold_s` is a pause that it asked for itself. Money is in the currency of the
    prices; hours and days are those of UTC.
    """

    endpoint: str
    model: str
    breaker: Literal["closed", "open", "probing"]
    open_s: float
    hold_s: float
    in_flight: int
    spent_hour: float
    spent_day: float
    money_is_spent: bool

    @classmethod
    def of(cls, endpoint: Endpoint, state: LimiterState) -> LlmStatus:
        return cls(
            endpoint=endpoint.url,
            model=endpoint.model,
            breaker=state.breaker,
            open_s=state.open_s,
            hold_s=state.hold_s,
            in_flight=state.in_flight,
            spent_hour=float(state.spent_hour),
            spent_day=float(state.spent_day),
            money_is_spent=state.money_is_spent,
        )


Kind = Literal[
    "broker",
    "llm-limits",
    "llm",
    "money",
    "ingest",
    "recognise",
    "classify",
    "aggregate",
    "relay",
    "batcher",
    "full",
    "dead",
    "parked",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or waits for an operator, and what to do about it."""

    kind: Kind
    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, as far as the gateway can see, causes before effects."""

    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Status:
    """What is wrong, as far as the gateway can see, counts by name over the whole store, messages waiting by
    queue, and the LLM endpoints.

    `queues` is empty where `broker` is not `ok`, and `llm` where `llm_limits` is not; both are as `broker` in
    Readiness.
    """

    findings: Sequence[Finding]
    documents: Mapping[str, int]
    questions: Mapping[str, int]
    dead_reasons: Mapping[str, int]
    dead_documents: Mapping[str, int]
    parked: int
    decided_by: Mapping[str, int]
    replayed: int
    cached: int
    oldest_unfinished_s: float
    queues: Mapping[str, int]
    broker: str
    llm: Sequence[LlmStatus]
    llm_limits: str

    @classmethod
    def of(
        cls,
        counts: Counts,
        *,
        findings: Sequence[Finding],
        queues: Mapping[str, int],
        broker: str,
        llm: Sequence[LlmStatus],
        llm_limits: str,
    ) -> Status:
        return cls(
            **_values(counts),
            findings=findings,
            queues=queues,
            broker=broker,
            llm=llm,
            llm_limits=llm_limits,
        )


def _values(value: Counts | DocumentView) -> dict[str, Any]:
    """The fields by name; `asdict` would copy every value inside them too."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
