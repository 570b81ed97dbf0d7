"""The last trouble of each stage, where the gateway finds it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock, Thread

from sqlalchemy import Connection, Engine, text

from linkner.errors import LinknerError, UnavailableError
from workers.ports import Clock, Trouble
from workers.store.database import in_transaction
from workers.store.sql import storable_error

EVERY_S = 5.0
"""Errors of a stage closer together than this are one."""

_NOTE = text("""
    INSERT INTO troubles (stage, error) VALUES (:stage, :error)
    ON CONFLICT (stage) DO UPDATE SET error = excluded.error, seen_at = now()
""")
_LAST = text("""
    SELECT stage, error, extract(epoch FROM now() - seen_at)::float8 AS age_s FROM troubles ORDER BY stage
""")


def _in_background(work: Callable[[], None]) -> None:
    Thread(target=work, daemon=True, name="troubles").start()


class PostgresTroubles:
    """One row a stage in PostgreSQL; thread-safe. `note` is a `ports.Note`."""

    def __init__(
        self, engine: Engine, *, clock: Clock, start: Callable[[Callable[[], None]], None] = _in_background
    ) -> None:
        """`start` has something done that may take long: a store that is away is waited for."""
        self._engine, self._clock, self._start = engine, clock, start
        self._noted_at: dict[str, float] = {}
        self._lock = Lock()

    def note(self, stage: str, error: LinknerError) -> None:
        """Keep the error, unless one of this stage was kept within EVERY_S."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._noted_at.get(stage, float("-inf")) < EVERY_S:
                return
            self._noted_at[stage] = now
        self._start(partial(self._write, stage, str(error)))

    def _write(self, stage: str, error: str) -> None:
        # Where the store is the trouble, whoever looks finds that out by himself.
        with suppress(UnavailableError):
            in_transaction(self._engine, _note, stage, error)


def _note(connection: Connection, stage: str, error: str) -> None:
    connection.execute(_NOTE, {"stage": stage, "error": storable_error(error)})


def last(connection: Connection) -> tuple[Trouble, ...]:
    """Of each stage that ever had one, by its name."""
    return tuple(Trouble(row.stage, row.error, row.age_s) for row in connection.execute(_LAST))
