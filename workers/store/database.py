"""The connection to PostgreSQL: engine, transactions, and its errors in the project's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url
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
_READ_ONLY = "25006"  # a standby, a primary that became one, or a server whose disk is full
_NOT_MIGRATED = frozenset({"42P01", "42703"})  # undefined table, undefined column
_ATTEMPTS = 4


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
    engine = create_engine(
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
    event.listen(engine, "handle_error", _leave_what_is_read_only)
    return engine


def _leave_what_is_read_only(context: ExceptionContext) -> None:
    """Count it as a lost connection: all that lead there are replaced, and may then lead to the primary."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


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
            if sqlstate(error.__cause__) not in TRANSIENT:
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
    except (DBAPIError, TimeoutError, psycopg.Error) as error:
        if sqlstate(error) in _NOT_MIGRATED:
            raise UnavailableError(
                "the database lacks a table or column that this version needs", hint="run `linkner migrate`"
            ) from error
        if not _means_unavailable(error):
            raise
        detail = error.orig if isinstance(error, DBAPIError) else error
        raise UnavailableError(
            "PostgreSQL cannot answer now",
            got=str(detail).strip()[:300],
            hint="check that it runs and that LINKNER_POSTGRES_URL leads to it",
        ) from error


def _means_unavailable(error: Exception) -> bool:
    """Whether it is no fault of the statement: the server is away, busy, or has ended the connection, or it
    takes no writes."""
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return isinstance(error, TimeoutError | psycopg.OperationalError) or sqlstate(error) == _READ_ONLY


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's code of an error, as SQLAlchemy or psycopg raised it."""
    return getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
