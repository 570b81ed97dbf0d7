"""What LLM calls cost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Column, Index, Numeric, Text
from sqlmodel import Field

from workers.store.tables.columns import Table, identity_key, number, string, timestamp


class CallRow(Table, table=True):
    """One answered LLM call: what it used, and its cost where its price was known."""

    __tablename__ = "calls"
    __table_args__ = (Index("calls_by_time", "called_at"),)

    id: int = identity_key()
    question_id: int = number()
    source: str = string()
    endpoint: str = string()
    model: str = string()
    prompt_tokens: int
    cached_prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric, nullable=True))
    batched: bool
    replayed: bool
    called_at: datetime = timestamp()


class SpendingRow(Table, table=True):
    """The cost of a source's calls on one day (UTC), in shards: see `workers.store.spending`."""

    __tablename__ = "spending"

    day: date = Field(primary_key=True)
    source: str = Field(sa_column=Column(Text, primary_key=True))
    shard: int = Field(primary_key=True)
    cost: Decimal = Field(sa_column=Column(Numeric, nullable=False))
