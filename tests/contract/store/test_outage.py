"""The store while PostgreSQL is away, and after it has come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from linkner.errors import UnavailableError
from workers.ports import NewDocument
from workers.store.database import connect, in_transaction
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
