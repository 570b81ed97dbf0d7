"""The store while PostgreSQL is away, and after it has come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from linkner.errors import UnavailableError
from workers.ports import NewDocument
from workers.store.database import connect, connection_of_its_own, in_transaction, unavailable_as_such
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

POST = NewDocument("test", "1", "Anna in Oslo")

CALLS: dict[str, Callable[[Engine], object]] = {
    "store": lambda engine: PostgresStore(engine).accept([POST]),
    "outbox": lambda engine: PostgresOutbox(engine).publish_due("recognise", limit=1, send=print),
    "listening": lambda engine: PostgresOutbox(engine).wait(timeout_s=0.0),
    "reader": lambda engine: PostgresReader(engine).unfinished(),
    "ping": lambda engine: PostgresReader(engine).ping(),
}


_END_OTHERS = text("""
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
""")


def _end_every_other_connection(engine: Engine) -> None:
    """As a restart of the server does."""
    with engine.connect() as connection:
        connection.execute(_END_OTHERS)


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_not_there_is_unavailable(call: str, tmp_path: Path) -> None:
    engine = connect(f"postgresql://linkner:hush@/postgres?host={tmp_path}")
    with pytest.raises(UnavailableError, match="PostgreSQL cannot answer now") as caught:
        CALLS[call](engine)
    assert "hush" not in str(caught.value)


def test_connections_that_a_restart_has_cut_are_replaced(engine: Engine, database_url: str) -> None:
    store, restarter = PostgresStore(engine), connect(database_url)
    assert not store.accept([POST])[0].duplicate
    _end_every_other_connection(restarter)
    assert store.accept([POST])[0].duplicate
    restarter.dispose()


def test_a_connection_that_was_idle_for_too_long_in_a_transaction_is_unavailable(engine: Engine) -> None:
    def sleep_inside(connection: Connection) -> None:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
        time.sleep(0.1)
        connection.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError, match="idle-in-transaction"):
        in_transaction(engine, sleep_inside)


def test_listening_goes_on_after_a_restart(engine: Engine, database_url: str) -> None:
    outbox, restarter = PostgresOutbox(engine), connect(database_url)
    assert outbox.wait(timeout_s=0.01)
    _end_every_other_connection(restarter)
    with pytest.raises(UnavailableError):
        outbox.wait(timeout_s=10.0)
    assert outbox.wait(timeout_s=0.01), "what came meanwhile went unheard: look at once"
    PostgresStore(engine).accept([POST])
    assert outbox.wait(timeout_s=10.0)
    assert not outbox.wait(timeout_s=0.01)
    outbox.close()
    restarter.dispose()


def test_a_pool_in_use_is_unavailable_and_not_waited_for_without_end(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = connect(database_url, pool_size=1)
    monkeypatch.setattr(engine.pool, "_timeout", 0.01)
    with engine.connect(), pytest.raises(UnavailableError, match="QueuePool limit"):
        PostgresReader(engine).unfinished()
    engine.dispose()


_NO_FAULT_OF_THE_STATEMENT = {
    "read-only": "25006",
    "disk full": "53100",
    "out of memory": "53200",
    "too many connections": "53300",
    "shutting down": "57P01",
    "starting": "57P03",
    "no such table": "42P01",
    "no such column": "42703",
}


def _raising(sqlstate: str) -> str:
    return f"DO $$ BEGIN RAISE 'told to' USING ERRCODE = '{sqlstate}'; END $$"


@pytest.mark.parametrize("name", _NO_FAULT_OF_THE_STATEMENT)
def test_what_is_no_fault_of_the_statement_is_unavailable(engine: Engine, name: str) -> None:
    raising = _raising(_NO_FAULT_OF_THE_STATEMENT[name])
    with pytest.raises(UnavailableError):
        in_transaction(engine, lambda connection: connection.execute(text(raising)))
    with pytest.raises(UnavailableError), unavailable_as_such():
        connection_of_its_own(engine).execute(raising)


def test_what_is_a_fault_of_the_statement_is_a_defect(engine: Engine) -> None:
    raising = _raising("23514")  # a check refuses the row
    with pytest.raises(IntegrityError):
        in_transaction(engine, lambda connection: connection.execute(text(raising)))
    with pytest.raises(psycopg.IntegrityError), unavailable_as_such():
        connection_of_its_own(engine).execute(raising)


@pytest.fixture
def read_only(database_url: str) -> Iterator[Callable[[bool], None]]:
    """Has new connections to the database refuse to write, or take writes again; those that are open stay."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)

        def switch(on: bool) -> None:
            command = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
            admin.execute(command.format(name, sql.Literal(on)))

        yield switch
        switch(False)


@pytest.mark.parametrize("call", ["store", "outbox"])
def test_a_read_only_server_is_left_for_one_that_takes_writes(
    engine: Engine, read_only: Callable[[bool], None], call: str
) -> None:
    read_only(True)
    with pytest.raises(UnavailableError, match="read-only"):
        CALLS[call](engine)
    read_only(False)
    CALLS[call](engine)  # on a new connection: the old ones would refuse for ever


@pytest.mark.parametrize("revision", [None, "0000"])
def test_an_older_schema_does_not_pass_for_ready(
    engine: Engine, empty_database_url: str, revision: str | None
) -> None:
    old = connect(empty_database_url)
    if revision is not None:
        with old.begin() as connection:
            connection.execute(text("CREATE TABLE alembic_version AS SELECT '0000' AS version_num"))
    with pytest.raises(UnavailableError, match="linkner migrate"):
        PostgresReader(old).ping()
    old.dispose()
    PostgresReader(engine).ping()


def test_a_newer_schema_serves_the_version_before(empty_database_url: str) -> None:
    engine = connect(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version AS SELECT '9999' AS version_num"))
    PostgresReader(engine).ping()
    engine.dispose()
