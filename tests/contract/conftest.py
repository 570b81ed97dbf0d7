"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.store.scene import Ports
from tests.fakes.store import FakeStore
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore


@pytest.fixture(params=["fake", "postgres"])
def ports(request: pytest.FixtureRequest) -> Iterator[Ports]:
    if request.param == "fake":
        fake = FakeStore()
        yield Ports(fake, fake, fake)
        return
    engine = request.getfixturevalue("engine")
    outbox = PostgresOutbox(engine)
    yield Ports(PostgresStore(engine), outbox, PostgresReader(engine))
    outbox.close()
