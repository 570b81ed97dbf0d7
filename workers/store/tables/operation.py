"""What operators see to: keys of the gateway, messages that no worker could use, and troubles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, Column, LargeBinary, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field

from workers.store.tables.columns import Table, identity_key, string, timestamp


class ParkedMessageRow(Table, table=True):
    """A message that no worker could use, as JSON; `times` counts how often it came."""

    __tablename__ = "parked_messages"
    __table_args__ = (UniqueConstraint("queue", "digest"),)

    id: int = identity_key()
    queue: str = string()
    digest: str = string()
    body: str = string()
    error: str = string()
    times: int = Field(default=1, sa_column_kwargs={"server_default": sql("1")})
    parked_at: datetime = timestamp()


class ApiKeyRow(Table, table=True):
    """A key of the gateway, by its digest; see `workers.store.keys`."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("digest"),
        CheckConstraint("posts_per_minute > 0", name="posts_per_minute"),
    )

    id: int = identity_key()
    name: str = string()
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    posts_per_minute: int | None
    paid_until: datetime = timestamp()
    created_at: datetime = timestamp()
    revoked_at: datetime | None = timestamp(nullable=True)


class TroubleRow(Table, table=True):
    """What a stage ran into last; see `workers.store.troubles`."""

    __tablename__ = "troubles"

    stage: str = Field(sa_column=Column(Text, primary_key=True))
    error: str = string()
    seen_at: datetime = timestamp()
