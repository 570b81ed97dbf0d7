"""Servers for the tests: embedded ones, or those of LINKNER_TEST_POSTGRES_URL and LINKNER_TEST_REDIS_URL.

A server that is named but cannot be reached fails the tests that need it: they are never skipped.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis
from kombu import Connection
from psycopg import sql
from sqlalchemy import Engine, make_url

# Small models gain nothing from threads, which wait for one another busily: beside other work, for minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import trainer  # noqa: F401 (sets Ray up, which must come before any test imports ray)
from tests.support.folders import server_folder
from workers.stack.embedded import embedded_postgres, embedded_redis
from workers.store.database import connect
from workers.store.migrating import migrate
from workers.store.tables import Table


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server on which the tests may create databases."""
    given = os.environ.get("LINKNER_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with server_folder() as folder, embedded_postgres(folder) as url:
        # What a test wrote need not survive the machine: flushing to disk is most of a new database's cost.
        _execute(url, "ALTER SYSTEM SET fsync = off")
        _execute(url, "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis server, as redis://… or redis+socket://…; use `redis_prefix` for every key."""
    given = os.environ.get("LINKNER_TEST_REDIS_URL")
    if given:
        yield given
        return
    with server_folder() as folder, embedded_redis(folder) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """URL of a RabbitMQ server: LINKNER_TEST_RABBITMQ_URL, else the one on its standard port, if it answers.

    RabbitMQ comes as no wheel, so without the variable and without a server these tests are skipped.
    """
    given = os.environ.get("LINKNER_TEST_RABBITMQ_URL")
    url = given or "amqp://guest:guest@127.0.0.1:5672//"
    if not given:
        try:
            with Connection(url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            pytest.skip("no RabbitMQ answers on its standard port; LINKNER_TEST_RABBITMQ_URL names another")
    return url


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """URL of a message broker: a test that takes it runs on both kinds."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> Iterator[str]:
    """URL of a database at the newest schema; `database_url` lends it to one test at a time."""
    with _database(postgres_url) as url:
        migrate(url)
        yield url


@pytest.fixture
def database_url(migrated_url: str) -> Iterator[str]:
    """URL of a migrated, empty database; what a test leaves in it or connected to it is removed."""
    yield migrated_url
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute(_END_OTHERS)
        connection.execute(_EMPTY)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """URL of a database without any table."""
    with _database(postgres_url) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on this test's database."""
    engine = connect(database_url, pool_size=8)
    yield engine
    engine.dispose()


@pytest.fixture
def redis_prefix(redis_url: str) -> Iterator[str]:
    """A key prefix of this test alone; its keys are removed afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:12]}:"
    yield prefix
    with redis.Redis.from_url(redis_url.replace("redis+socket://", "unix://")) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1000):
            client.delete(key)


_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = sql.SQL("TRUNCATE {} RESTART IDENTITY").format(
    sql.SQL(", ").join(sql.Identifier(table.name) for table in Table.metadata.sorted_tables)
)


@contextmanager
def _database(server_url: str) -> Iterator[str]:
    name = f"linkner_test_{uuid.uuid4().hex[:12]}"
    _execute(server_url, "CREATE DATABASE {} TEMPLATE template0", name)
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server_url: str, statement: str, *names: str) -> None:
    with psycopg.connect(server_url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
