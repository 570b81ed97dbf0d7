"""Documents, the feed and the state of the system as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

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
class Status:
    """Counts by name over the whole store, and messages waiting by queue.

    `queues` is empty where `broker` is not `ok`; `broker` is as in Readiness.
    """

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

    @classmethod
    def of(cls, counts: Counts, *, queues: Mapping[str, int], broker: str) -> Status:
        return cls(**_values(counts), queues=queues, broker=broker)


def _values(value: Counts | DocumentView) -> dict[str, Any]:
    """The fields by name; `asdict` would copy every value inside them too."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
