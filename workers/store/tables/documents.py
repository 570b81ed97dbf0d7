"""Documents, and what was found in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Double, Identity, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from workers.store.tables.columns import (
    Table,
    false_by_default,
    identity_key,
    number,
    one_of,
    reference,
    string,
    timestamp,
)


class DocumentRow(Table, table=True):
    """A post on its way: accepted → recognised (questions open) → classified (none open) → complete.

    A complete one with a reason is dead: it could not be recognised, or not joined. `linkner dead replay` has
    it begin again there (`replayed_at`), `drop` takes it off the list (`dropped_at`).
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        one_of("state", "accepted", "recognised", "classified", "complete"),
        one_of("lane", "now", "batch", "never"),
        Index(
            "documents_due",
            "state",
            "not_before",
            "id",
            postgresql_where=sql("published_at IS NULL AND state IN ('accepted', 'classified')"),
        ),
        Index(
            "documents_published",
            "published_at",
            postgresql_where=sql("published_at IS NOT NULL AND state IN ('accepted', 'classified')"),
        ),
        Index("documents_recognised", "id", postgresql_where=sql("state = 'recognised'")),
        Index("documents_by_author", "author", "id", postgresql_where=sql("author IS NOT NULL")),
        Index("documents_by_age", "accepted_at"),
        Index("documents_unfinished", "accepted_at", postgresql_where=sql("state <> 'complete'")),
        Index(
            "documents_under_way",
            "accepted_at",
            postgresql_where=sql(
                "state <> 'complete' AND (state <> 'recognised' OR lane IS DISTINCT FROM 'batch')"
            ),
        ),
        Index(
            "documents_dead",
            "completed_at",
            postgresql_where=sql("state = 'complete' AND reason IS NOT NULL AND dropped_at IS NULL"),
        ),
    )

    id: int = identity_key()
    source: str = string()
    external_id: str = string()
    text: str = string()
    created_at: datetime | None = timestamp(nullable=True)
    details: dict[str, Any] = Field(
        sa_column=Column("metadata", JSONB, nullable=False, server_default=sql("'{}'"))
    )
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="accepted"))
    accepted_at: datetime = timestamp()
    recognised_at: datetime | None = timestamp(nullable=True)
    completed_at: datetime | None = timestamp(nullable=True)
    not_before: datetime = timestamp()
    published_at: datetime | None = timestamp(nullable=True)
    model: str | None = string(nullable=True)
    reason: str | None = string(nullable=True)
    revision: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    last_error: str | None = string(nullable=True)
    lane: str | None = string(nullable=True)
    deadline_s: float | None = Field(default=None, sa_type=Double)
    replayed_at: datetime | None = timestamp(nullable=True)
    dropped_at: datetime | None = timestamp(nullable=True)
    join_attempts: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    author: str | None = string(nullable=True)


class SpanRow(Table, table=True):
    """What the local model said of a span: a predicted entity, or a plausible span that is asked about."""

    __tablename__ = "spans"
    __table_args__ = (
        one_of("role", "entity", "plausible"),
        Index("spans_asked", "question_id", postgresql_where=sql("question_id IS NOT NULL")),
    )

    document_id: int = reference("documents", primary_key=True)
    start: int = Field(primary_key=True)
    end: int = Field(primary_key=True)
    role: str = string()
    label: str = string()
    probability: float = Field(sa_type=Double)
    uncertainty: float = Field(sa_type=Double)
    scores: dict[str, float] = Field(sa_column=Column(JSONB, nullable=False))
    question_id: int | None = reference("questions", nullable=True)


class EntityRow(Table, table=True):
    """An entity of a complete document, with who decided its label."""

    __tablename__ = "entities"
    __table_args__ = (one_of("decided_by", "local", "llm", "fallback"),)

    document_id: int = reference("documents", primary_key=True)
    start: int = Field(primary_key=True)
    end: int = Field(primary_key=True)
    label: str = string()
    text: str = string()
    decided_by: str = string()
    reason: str | None = string(nullable=True)
    probability: float = Field(sa_type=Double)
    uncertainty: float = Field(sa_type=Double)
    llm_model: str | None = string(nullable=True)
    prompt_version: str | None = string(nullable=True)
    replayed: bool
    revision: int
    cached: bool = false_by_default()


class FeedRow(Table, table=True):
    """One finished revision of a document, or the news that it was `erased` (and has no row any more).

    `seq` order is commit order: see `workers.store.finishing`.
    """

    __tablename__ = "feed"
    __table_args__ = (
        Index("feed_by_document", "document_id"),
        Index("feed_erased", "created_at", postgresql_where=sql("erased")),
    )

    seq: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    document_id: int = number()
    revision: int
    created_at: datetime = timestamp()
    erased: bool = false_by_default()
