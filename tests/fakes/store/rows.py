"""The rows of the store in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from linkner.spans import ScoredSpan
from workers.ports import Answer, CachedAnswer, EntityView, NewDocument, Recognised

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Document:
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
    join_attempts: int = 0
    last_error: str | None = None
    revision: int = 0
    result: Recognised | None = None
    entities: list[EntityView] = field(default_factory=list)


@dataclass
class Question:
    id: int
    document: Document
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
    deadline_s: float | None = None
    deadline_at: float | None = None
    lane: str = "now"
    batch_id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state in {"pending", "claimed"}


@dataclass
class Cached:
    """A row of the answer cache: a promise by a question, then with its answer."""

    question: Question
    promised_until: float
    answered_at: float | None = None
    answer: CachedAnswer | None = None


def in_text_order(spans: Collection[ScoredSpan]) -> tuple[ScoredSpan, ...]:
    return tuple(sorted(spans, key=lambda scored: scored.span))


def as_time(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
