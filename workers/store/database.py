"""The connection to PostgreSQL: engine, migrations, transactions, and its errors in the project's terms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, TimeoutError

from linkner.errors import ConfigurationError, UnavailableError

P = ParamSpec("P")
T = TypeVar("T")

_DRIVER = "postgresql+psycopg"
_STATEMENT_TIMEOUT_MS = 60_000
MIGRATION_LOCK = 0x11A7_0001  # advisory locks are plain numbers: these are LinkNER's
FEED_LOCK = 0x11A7_0002
BATCHER_LOCK = 0x11A7_0003

TRANSIENT = frozenset({"40P01", "40001"})  # deadlock detected, serialisation failure
_ATTEMPTS = 4
_IN_USE = frozenset({"55P03", "40P01"})  # a lock was not given in time, or a deadlock was broken
_MIGRATION_ATTEMPTS = 40
_MIGRATION_PAUSE_S = 0.25

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")


def connect(url: str, *, pool_size: int = 5, statement_timeout_ms: int = _STATEMENT_TIMEOUT_MS) -> Engine:
    """An engine on `url` (postgresql://…) with at most `pool_size` connections; none is opened yet.

    Every wait is bounded: for a connection, for a statement, and for a dead link. 0 as the statement's
    time-out means none.

    Raises:
        ConfigurationError: `url` is not a PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername not in {"postgresql", "postgres", _DRIVER}:
        raise ConfigurationError(
            "the PostgreSQL URL cannot be used", expected="postgresql://user:password@host:port/name"
        )
    return create_engine(
        parsed.set(drivername=_DRIVER),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,  # else a logged error shows posts
        connect_args={
            "application_name": "linkner",
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "options": f"-c statement_timeout={statement_timeout_ms}"
            " -c idle_in_transaction_session_timeout=60000",
        },
    )


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
            for _ in range(_MIGRATION_ATTEMPTS - 1):
                try:
                    return _upgrade(engine, revision)
                except OperationalError as error:
                    if _sqlstate(error) not in _IN_USE:
                        raise
                    time.sleep(_MIGRATION_PAUSE_S)
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
            time.sleep(_MIGRATION_PAUSE_S)
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


def in_transaction(
    engine: Engine, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call `work` with a connection in one transaction; again, a few times, where a deadlock was broken.

    Raises:
        UnavailableError: the database could not be reached or did not finish in time.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _once(engine, work, *args, **kwargs)
        except UnavailableError as error:
            if _sqlstate(error.__cause__) not in TRANSIENT:
                raise
    return _once(engine, work, *args, **kwargs)


def _once(
    engine: Engine, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    with unavailable_as_such(), engine.begin() as connection:
        return work(connection, *args, **kwargs)


def connection_of_its_own(engine: Engine) -> psycopg.Connection[Any]:
    """A connection outside the pool and outside any transaction; close it."""
    pooled = engine.raw_connection()
    connection = pooled.dbapi_connection
    pooled.detach()
    assert isinstance(connection, psycopg.Connection)
    connection.autocommit = True
    return connection


@contextmanager
def unavailable_as_such() -> Iterator[None]:
    """Raise UnavailableError for what means that PostgreSQL cannot answer now; the cause stays attached."""
    try:
        yield
    except (DBAPIError, TimeoutError, psycopg.OperationalError) as error:
        if not _means_unavailable(error):
            raise
        detail = error.orig if isinstance(error, DBAPIError) else error
        raise UnavailableError(
            "PostgreSQL cannot answer now",
            got=str(detail).strip()[:300],
            hint="check that it runs and that LINKNER_POSTGRES_URL leads to it",
        ) from error


def _means_unavailable(error: Exception) -> bool:
    """Whether it is no fault of the statement: the server is away, busy, or has ended the connection."""
    if not isinstance(error, DBAPIError):
        return True
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated


def _sqlstate(error: BaseException | None) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
