"""The tables, as SQLModel declares them. `migrations/` builds them; a test holds the two equal.

Offsets are Unicode code points, half-open. Times are the database's own clock. An id is due for the relay
where `published_at` is null and `not_before` has come: documents in the queue of their state, questions in
`classify`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

_NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


class Table(SQLModel):
    """Base of the tables, with metadata of its own."""

    metadata = MetaData(naming_convention=_NAMES)


def _id() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


def _reference(target: str, *, primary_key: bool = False, nullable: bool = False) -> Any:
    column = Column(BigInteger, ForeignKey(f"{target}.id"), primary_key=primary_key, nullable=nullable)
    return Field(default=None, sa_column=column)


def _time(*, nullable: bool = False) -> Any:
    default = None if nullable else sql("now()")
    column = Column(DateTime(timezone=True), nullable=nullable, server_default=default)
    return Field(default=None, sa_column=column)


def _text(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Text, nullable=nullable))


def _false() -> Any:
    return Field(sa_column=Column(Boolean, nullable=False, server_default=sql("false")))


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class DocumentRow(Table, table=True):
    """A post on its way: accepted → recognised (questions open) → classified (none open) → complete.

    A complete one with a reason is dead: it could not be recognised. `linkner dead replay` has it begin
    again (`replayed_at`), `drop` takes it off the list (`dropped_at`).
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        _one_of("state", "accepted", "recognised", "classified", "complete"),
        _one_of("lane", "now", "batch", "never"),
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
        Index("documents_unfinished", "accepted_at", postgresql_where=sql("state <> 'complete'")),
        Index(
            "documents_dead",
            "completed_at",
            postgresql_where=sql("state = 'complete' AND reason IS NOT NULL AND dropped_at IS NULL"),
        ),
    )

    id: int = _id()
    source: str = _text()
    external_id: str = _text()
    text: str = _text()
    created_at: datetime | None = _time(nullable=True)
    details: dict[str, Any] = Field(
        sa_column=Column("metadata", JSONB, nullable=False, server_default=sql("'{}'"))
    )
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="accepted"))
    accepted_at: datetime = _time()
    recognised_at: datetime | None = _time(nullable=True)
    completed_at: datetime | None = _time(nullable=True)
    not_before: datetime = _time()
    published_at: datetime | None = _time(nullable=True)
    model: str | None = _text(nullable=True)
    reason: str | None = _text(nullable=True)
    revision: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    last_error: str | None = _text(nullable=True)
    lane: str | None = _text(nullable=True)
    deadline_s: float | None = Field(default=None, sa_type=Double)
    replayed_at: datetime | None = _time(nullable=True)
    dropped_at: datetime | None = _time(nullable=True)


class QuestionRow(Table, table=True):
    """One LLM call: pending ⇄ claimed (until `lease_until`) → answered, or dead with a reason."""

    __tablename__ = "questions"
    __table_args__ = (
        _one_of("state", "pending", "claimed", "answered", "dead"),
        _one_of("lane", "now", "batch"),
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
        Index("questions_open", "document_id", postgresql_where=sql("state IN ('pending', 'claimed')")),
        Index(
            "questions_dead",
            "ended_at",
            postgresql_where=sql("state = 'dead' AND dropped_at IS NULL"),
        ),
    )

    id: int = _id()
    document_id: int = _reference("documents")
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="pending"))
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    fence: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=sql("0")))
    not_before: datetime = _time()
    lease_until: datetime | None = _time(nullable=True)
    published_at: datetime | None = _time(nullable=True)
    deadline_at: datetime | None = _time(nullable=True)
    lane: str = Field(sa_column=Column(Text, nullable=False, server_default="now"))
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    awaits: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    reason: str | None = _text(nullable=True)
    last_error: str | None = _text(nullable=True)
    created_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)
    dropped_at: datetime | None = _time(nullable=True)


class SpanRow(Table, table=True):
    """What the local model said of a span: a predicted entity, or a plausible span that is asked about."""

    __tablename__ = "spans"
    __table_args__ = (
        _one_of("role", "entity", "plausible"),
        Index("spans_asked", "question_id", postgresql_where=sql("question_id IS NOT NULL")),
    )

    document_id: int = _reference("documents", primary_key=True)
    start: int = Field(primary_key=True)
    end: int = Field(primary_key=True)
    role: str = _text()
    label: str = _text()
    probability: float = Field(sa_type=Double)
    uncertainty: float = Field(sa_type=Double)
    scores: dict[str, float] = Field(sa_column=Column(JSONB, nullable=False))
    question_id: int | None = _reference("questions", nullable=True)


class AnswerRow(Table, table=True):
    """The LLM's label for one candidate of an answered question ('O' = no entity), and its raw reply.

    A `proposed` one is of a span that the LLM added to the candidates.
    """

    __tablename__ = "answers"
    __table_args__ = (Index("answers_proposed", "document_id", postgresql_where=sql("proposed")),)

    question_id: int = _reference("questions", primary_key=True)
    start: int = Field(primary_key=True)
    end: int = Field(primary_key=True)
    document_id: int = _reference("documents")
    label: str = _text()
    model: str = _text()
    prompt_version: str = _text()
    raw: str = _text()
    prompt_tokens: int
    completion_tokens: int
    replayed: bool
    answered_at: datetime = _time()
    cached: bool = _false()
    proposed: bool = _false()


class CachedAnswerRow(Table, table=True):
    """What equal questions share: a promise to ask (until `promised_until`), then the answer."""

    __tablename__ = "cached_answers"

    key: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    question_id: int = _reference("questions")
    promised_until: datetime = _time()
    answered_at: datetime | None = _time(nullable=True)
    labels: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    model: str | None = _text(nullable=True)
    prompt_version: str | None = _text(nullable=True)
    raw: str | None = _text(nullable=True)
    replayed: bool | None
    proposals: list[Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))


class BatchRow(Table, table=True):
    """Questions asked together: preparing → submitted → closed. The provider's record holds the `name`."""

    __tablename__ = "batches"
    __table_args__ = (
        UniqueConstraint("name"),
        _one_of("state", "preparing", "submitted", "closed"),
        Index("batches_open", "id", postgresql_where=sql("state <> 'closed'")),
    )

    id: int = _id()
    name: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("(gen_random_uuid())::text")))
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="preparing"))
    provider_id: str | None = _text(nullable=True)
    error: str | None = _text(nullable=True)
    created_at: datetime = _time()
    submitted_at: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)


class CallRow(Table, table=True):
    """One answered LLM call: what it used, and its cost where its price was known."""

    __tablename__ = "calls"
    __table_args__ = (Index("calls_by_time", "called_at"),)

    id: int = _id()
    question_id: int = _reference("questions")
    source: str = _text()
    endpoint: str = _text()
    model: str = _text()
    prompt_tokens: int
    cached_prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric, nullable=True))
    batched: bool
    replayed: bool
    called_at: datetime = _time()


class SpendingRow(Table, table=True):
    """The cost of a source's calls on one day (UTC), in shards: see `workers.store.spending`."""

    __tablename__ = "spending"

    day: date = Field(primary_key=True)
    source: str = Field(sa_column=Column(Text, primary_key=True))
    shard: int = Field(primary_key=True)
    cost: Decimal = Field(sa_column=Column(Numeric, nullable=False))


class EntityRow(Table, table=True):
    """An entity of a complete document, with who decided its label."""

    __tablename__ = "entities"
    __table_args__ = (_one_of("decided_by", "local", "llm", "fallback"),)

    document_id: int = _reference("documents", primary_key=True)
    start: int = Field(primary_key=True)
    end: int = Field(primary_key=True)
    label: str = _text()
    text: str = _text()
    decided_by: str = _text()
    reason: str | None = _text(nullable=True)
    probability: float = Field(sa_type=Double)
    uncertainty: float = Field(sa_type=Double)
    llm_model: str | None = _text(nullable=True)
    prompt_version: str | None = _text(nullable=True)
    replayed: bool
    revision: int
    cached: bool = _false()


class FeedRow(Table, table=True):
    """One finished revision of a document. `seq` order is commit order: see `workers.store.finishing`."""

    __tablename__ = "feed"

    seq: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    document_id: int = _reference("documents")
    revision: int
    created_at: datetime = _time()


class ParkedMessageRow(Table, table=True):
    """A message that no worker could use, as JSON; `times` counts how often it came."""

    __tablename__ = "parked_messages"
    __table_args__ = (UniqueConstraint("queue", "digest"),)

    id: int = _id()
    queue: str = _text()
    digest: str = _text()
    body: str = _text()
    error: str = _text()
    times: int = Field(default=1, sa_column_kwargs={"server_default": sql("1")})
    parked_at: datetime = _time()


class ApiKeyRow(Table, table=True):
    """A key of the gateway, by its digest; see `workers.store.keys`."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("digest"),
        CheckConstraint("posts_per_minute > 0", name="posts_per_minute"),
    )

    id: int = _id()
    name: str = _text()
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    posts_per_minute: int | None
    paid_until: datetime = _time()
    created_at: datetime = _time()
    revoked_at: datetime | None = _time(nullable=True)
