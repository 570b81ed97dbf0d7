"""Bringing a database's schema up to date while workers use it. Only what migrates loads Alembic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from workers.store.database import MIGRATION_LOCK, connect, sqlstate, unavailable_as_such

_IN_USE = frozenset({"55P03", "40P01"})  # a lock was not given in time, or a deadlock was broken
_ATTEMPTS = 40
_PAUSE_S = 0.25

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")


def migrate(url: str, *, revision: str = "head") -> None:
    """Bring the database at `url` to the newest schema, or up to `revision`, while workers use it.

    Safe to run from several processes at once, and again after an interruption.

    Raises:
        ConfigurationError: `url` is not a PostgreSQL URL.
        UnavailableError: the database cannot be reached, or a table stayed locked.
    """
    engine = connect(url, statement_timeout_ms=0)
    try:
        with unavailable_as_such(), _migrating_alone(engine):
            for _ in range(_ATTEMPTS - 1):
                try:
                    return _upgrade(engine, revision)
                except OperationalError as error:
                    if sqlstate(error) not in _IN_USE:
                        raise
                    time.sleep(_PAUSE_S)
            return _upgrade(engine, revision)
    finally:
        engine.dispose()


@contextmanager
def _migrating_alone(engine: Engine) -> Iterator[None]:
    """Hold the migration lock, on a connection without a transaction.

    Looks again and again instead of waiting in a statement, which would itself hold up the indexes that the
    other migration builds.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(_TRY_LOCK, {"key": MIGRATION_LOCK}).scalar_one():
            time.sleep(_PAUSE_S)
        try:
            yield
        finally:
            connection.execute(_UNLOCK, {"key": MIGRATION_LOCK})


def _upgrade(engine: Engine, revision: str) -> None:
    config = _alembic()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@cache
def newest_revision() -> str:
    """The revision that `migrate` brings a database to: a number of four digits, higher in each one."""
    head = ScriptDirectory.from_config(_alembic()).get_current_head()
    assert head is not None
    return head


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
