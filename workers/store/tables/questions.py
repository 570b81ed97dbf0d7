"""Questions, their answers, and the batches that some are asked in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Column, Index, LargeBinary, Text, UniqueConstraint
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


class QuestionRow(Table, table=True):
    """One LLM call: pending ⇄ claimed (until `lease_until`) → answered, or dead with a reason."""

    __tablename__ = "questions"
    __table_args__ = (
        one_of("state", "pending", "claimed", "answered", "dead"),
        one_of("lane", "now", "batch"),
        Index(
            "questions_due",
            "not_before",
            "id",
            postgresql_where=sql("lane = 'now' AND published_at IS NULL AND state = 'pending'"),
        ),
        Index(
            "questions_published",
            "published_at",
            postgresql_where=sql("published_at IS NOT NULL AND state = 'pending'"),
        ),
        Index("questions_pending", "created_at", postgresql_where=sql("state = 'pending'")),
        Index(
            "questions_undated",
            "created_at",
            postgresql_where=sql("state = 'pending' AND deadline_at IS NULL"),
        ),
        Index(
            "questions_batch_due",
            "not_before",
            "id",
            postgresql_where=sql("lane = 'batch' AND batch_id IS NULL AND state = 'pending'"),
        ),
        Index("questions_batched", "batch_id", postgresql_where=sql("batch_id IS NOT NULL")),
        Index(
            "questions_deadline",
            "deadline_at",
            postgresql_where=sql("deadline_at IS NOT NULL AND state = 'pending'"),
        ),
        Index("questions_leased", "lease_until", postgresql_where=sql("state = 'claimed'")),
        Index(
            "questions_awaiting", "awaits", postgresql_where=sql("awaits IS NOT NULL AND state = 'pending'")
        ),
        Index("questions_by_document", "document_id"),
        Index("questions_open", "document_id", postgresql_where=sql("state IN ('pending', 'claimed')")),
        Index(
            "questions_dead",
            "ended_at",
            postgresql_where=sql("state = 'dead' AND dropped_at IS NULL"),
        ),
    )

    id: int = identity_key()
    document_id: int = reference("documents")
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="pending"))
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    fence: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=sql("0")))
    not_before: datetime = timestamp()
    lease_until: datetime | None = timestamp(nullable=True)
    published_at: datetime | None = timestamp(nullable=True)
    deadline_at: datetime | None = timestamp(nullable=True)
    lane: str = Field(sa_column=Column(Text, nullable=False, server_default="now"))
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    awaits: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    reason: str | None = string(nullable=True)
    last_error: str | None = string(nullable=True)
    created_at: datetime = timestamp()
    ended_at: datetime | None = timestamp(nullable=True)
    dropped_at: datetime | None = timestamp(nullable=True)


class AnswerRow(Table, table=True):
    """The LLM's label for one candidate of an answered question ('O' = no entity), and its raw reply.

    A `proposed` one is of a span that the LLM added to the candidates.
    """

    __tablename__ = "answers"
    __table_args__ = (Index("answers_proposed", "document_id", postgresql_where=sql("proposed")),)

    question_id: int = reference("questions", primary_key=True)
    start: int = Field(primary_key=True)
    end: int = Field(primary_key=True)
    document_id: int = number()
    label: str = string()
    model: str = string()
    prompt_version: str = string()
    raw: str = string()
    prompt_tokens: int
    completion_tokens: int
    replayed: bool
    answered_at: datetime = timestamp()
    cached: bool = false_by_default()
    proposed: bool = false_by_default()


class CachedAnswerRow(Table, table=True):
    """What equal questions share: a promise to ask (until `promised_until`), then the answer."""

    __tablename__ = "cached_answers"
    __table_args__ = (Index("cached_answers_by_question", "question_id"),)

    key: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    question_id: int = number()
    promised_until: datetime = timestamp()
    answered_at: datetime | None = timestamp(nullable=True)
    labels: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    model: str | None = string(nullable=True)
    prompt_version: str | None = string(nullable=True)
    raw: str | None = string(nullable=True)
    replayed: bool | None
    proposals: list[Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))


class BatchRow(Table, table=True):
    """Questions asked together: preparing → submitted → closed. The provider's record holds the `name`.

    `estimate` has what it costs about, by source, until its calls are recorded (`paid_at`).
    """

    __tablename__ = "batches"
    __table_args__ = (
        UniqueConstraint("name"),
        one_of("state", "preparing", "submitted", "closed"),
        Index("batches_open", "id", postgresql_where=sql("state <> 'closed'")),
    )

    id: int = identity_key()
    name: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("(gen_random_uuid())::text")))
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="preparing"))
    provider_id: str | None = string(nullable=True)
    error: str | None = string(nullable=True)
    created_at: datetime = timestamp()
    submitted_at: datetime | None = timestamp(nullable=True)
    ended_at: datetime | None = timestamp(nullable=True)
    estimate: dict[str, str] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    sent_at: datetime | None = timestamp(nullable=True)
    paid_at: datetime | None = timestamp(nullable=True)
