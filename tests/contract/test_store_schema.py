"""The migrations and the tables that SQLModel declares are one schema, whoever runs the migrations."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from linkner.errors import ConfigurationError, UnavailableError
from tests.support.blocking import wait_until_blocked
from workers.store.database import MIGRATION_LOCK, connect, migrate
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


def test_a_second_migration_waits_for_the_first(empty_database_url: str) -> None:
    engine = connect(empty_database_url)
    second = threading.Thread(target=migrate, args=(empty_database_url,))
    with engine.begin() as first:
        first.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        second.start()
        wait_until_blocked(engine)
    second.join(30)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM documents")).scalar_one() == 0
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/name", "not a url", ""])
def test_only_a_postgresql_url_is_accepted(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PostgreSQL URL"):
        connect(url)


def test_a_server_that_is_not_there_is_unavailable(tmp_path) -> None:
    with pytest.raises(UnavailableError, match="PostgreSQL cannot answer now"):
        migrate(f"postgresql://linkner@/postgres?host={tmp_path}")
