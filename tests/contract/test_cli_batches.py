"""`linkner batches` over PostgreSQL."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from tests.contract.store.scene import ANNA, Ports, answer, claimed
from tests.contract.test_batches import World
from tests.support.one_question import record_one
from workers.cli import app
from workers.store.batching import PostgresBatches
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore


def test_the_command_lists_the_latest_first(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)
    assert "no batch" in CliRunner().invoke(app, ["batches"]).stdout
    batches, outbox = PostgresBatches(engine), PostgresOutbox(engine)
    ports = Ports(PostgresStore(engine), outbox, PostgresReader(engine))
    world = World(ports, batches, lambda refs: 0)
    world.ask("1")
    first = world.gathered()
    (question_id,) = world.members(first)
    record_one(ports.store, claimed(ports, question_id), answer({ANNA: "person"}))
    batches.close(first.batch_id, error="expired")
    world.ask("2")
    second = world.gathered()
    batches.submitted(second.batch_id, provider_id="batch_7")
    lines = CliRunner().invoke(app, ["batches", "--json"]).stdout.splitlines()
    found = [
        [line[field] for field in ("name", "state", "provider_id", "waiting", "answered", "error")]
        for line in map(json.loads, lines)
    ]
    assert found == [
        [second.name, "submitted", "batch_7", 1, 0, None],
        [first.name, "closed", None, 0, 1, "expired"],
    ]
    assert "batch_7" in CliRunner().invoke(app, ["batches"], env={"COLUMNS": "200"}).stdout
