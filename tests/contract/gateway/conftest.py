"""The gateway on the store in memory and on PostgreSQL."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.contract.gateway.world import Away, FakeQueues, World, gateway_over
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from workers.ports import Reader, Store
from workers.store.database import connect
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore


@pytest.fixture(params=["fake", "postgres"])
def ports(request: pytest.FixtureRequest) -> tuple[Store, Reader]:
    if request.param == "fake":
        store = FakeStore(FakeClock())
        return store, store
    engine: Engine = request.getfixturevalue("engine")
    return PostgresStore(engine), PostgresReader(engine)


@pytest.fixture(params=["fake", "postgres"])
def unreachable(request: pytest.FixtureRequest) -> Iterator[tuple[Store, Reader]]:
    if request.param == "fake":
        yield Away(), Away()
        return
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    engine = connect(f"postgresql://nobody@127.0.0.1:{port}/nothing", pool_size=1)
    yield PostgresStore(engine), PostgresReader(engine)
    engine.dispose()


@pytest.fixture
def world(ports: tuple[Store, Reader]) -> Iterator[World]:
    queues, clock = FakeQueues(), FakeClock()
    with gateway_over(*ports, queues, clock) as client:
        yield World(*ports, queues, client, clock)
