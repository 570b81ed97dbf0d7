"""A role for one process at a time: a lock in PostgreSQL that ends with its holder's connection."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Engine

from linkner.errors import UnavailableError
from workers.store.database import connection_of_its_own, unavailable_as_such

_TAKE = "SELECT pg_try_advisory_lock(%(key)s)"
_STILL_THERE = "SELECT true"


class OnlyOne:
    """The lock of one role. Others that ask for it are told no, and may ask again: they stand by."""

    def __init__(self, engine: Engine, *, key: int) -> None:
        """`key` names the role."""
        self._engine = engine
        self._key = key
        self._connection: psycopg.Connection[Any] | None = None
        self._is_held = False

    def is_held(self) -> bool:
        """Take the lock if it is free; whether this process has it. Raises UnavailableError."""
        try:
            with unavailable_as_such():
                if self._connection is None:
                    self._connection = connection_of_its_own(self._engine)
                asking = _STILL_THERE if self._is_held else _TAKE
                row = self._connection.execute(asking, {"key": self._key}).fetchone()
        except UnavailableError:
            self.close()
            raise
        self._is_held = row is not None and bool(row[0])
        return self._is_held

    def close(self) -> None:
        """Give the lock back."""
        self._is_held = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
