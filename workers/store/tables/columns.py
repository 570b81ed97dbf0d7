"""What the tables share: their base, and columns of one kind."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    Text,
)
from sqlalchemy import text as sql
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


def identity_key() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


def reference(target: str, *, primary_key: bool = False, nullable: bool = False) -> Any:
    column = Column(BigInteger, ForeignKey(f"{target}.id"), primary_key=primary_key, nullable=nullable)
    return Field(default=None, sa_column=column)


def number() -> Any:
    """The id of a row that may be gone."""
    return Field(sa_column=Column(BigInteger, nullable=False))


def timestamp(*, nullable: bool = False) -> Any:
    default = None if nullable else sql("now()")
    column = Column(DateTime(timezone=True), nullable=nullable, server_default=default)
    return Field(default=None, sa_column=column)


def string(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Text, nullable=nullable))


def false_by_default() -> Any:
    return Field(sa_column=Column(Boolean, nullable=False, server_default=sql("false")))


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
