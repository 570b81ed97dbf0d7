"""The migrations and the tables that SQLModel declares are one schema, whoever runs the migrations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from linkner.errors import ConfigurationError, UnavailableError
from workers.store import migrating
from workers.store.database import MIGRATION_LOCK, connect
from workers.store.migrating import migrate
from workers.store.migrations import online
from workers.store.reader import PostgresReader
from workers.store.tables import Table

_CATALOG = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        AND conrelid::regclass::text <> 'alembic_version'
    """,
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    """,
}


def test_alembic_finds_nothing_to_migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


@pytest.mark.parametrize("kind", _CATALOG)
def test_migrations_build_what_the_tables_declare(engine: Engine, empty_database_url: str, kind: str) -> None:
    declared = connect(empty_database_url)
    Table.metadata.create_all(declared)
    migrated_rows, declared_rows = _catalog(engine, kind), _catalog(declared, kind)
    declared.dispose()
    assert migrated_rows == declared_rows
    assert migrated_rows


def _catalog(engine: Engine, kind: str) -> set[tuple[object, ...]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(_CATALOG[kind]))}


def test_migrating_again_keeps_the_data(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO documents (source, external_id, text) VALUES ('s', '1', 'x')"))
    migrate(database_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM documents")).scalar_one() == 1


def test_a_second_migration_waits_for_the_first(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = connect(empty_database_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as first:
        first.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})

        def wait(seconds: float) -> None:
            assert not inspect(engine).get_table_names()
            first.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})

        monkeypatch.setattr(migrating.time, "sleep", wait)
        migrate(empty_database_url)
    assert "documents" in inspect(engine).get_table_names()
    engine.dispose()


def test_several_migrations_at_once_make_one_schema(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_database_url] * 4))
    engine = connect(empty_database_url)
    assert "documents" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_table_in_use_is_tried_again_and_holds_nobody_up(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online, "LOCK_TIMEOUT", "50ms")
    engine = connect(empty_database_url)
    migrate(empty_database_url, revision="0001")
    with engine.connect() as reader:
        reader.execute(text("SELECT FROM documents"))
        tries: list[float] = []

        def wait(seconds: float) -> None:
            tries.append(seconds)
            if len(tries) == 3:
                reader.rollback()

        monkeypatch.setattr(migrating.time, "sleep", wait)
        migrate(empty_database_url)
    assert len(tries) == 3
    assert "attempts" in {column["name"] for column in inspect(engine).get_columns("documents")}
    engine.dispose()


def test_a_migration_that_was_interrupted_at_its_indexes_is_taken_up_again(empty_database_url: str) -> None:
    engine = connect(empty_database_url)
    migrate(empty_database_url, revision="0002")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    migrate(empty_database_url)
    PostgresReader(engine).ping()
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/name", "not a url", ""])
def test_only_a_postgresql_url_is_accepted(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PostgreSQL URL"):
        connect(url)


def test_a_server_that_is_not_there_is_unavailable(tmp_path) -> None:
    with pytest.raises(UnavailableError, match="PostgreSQL cannot answer now"):
        migrate(f"postgresql://linkner@/postgres?host={tmp_path}")
