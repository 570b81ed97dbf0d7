"""A stage that fails says so, and whoever asks the gateway reads it."""

from __future__ import annotations

from collections import deque

import pytest
from sqlalchemy import Engine, text

from linkner.classification import Form
from linkner.detectors import Detectors
from linkner.errors import UnavailableError
from linkner.labels import label_set
from tests.contract.gateway.world import FakeQueues, World, gateway_over, post
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import FakeRecogniser
from workers.handlers.policies import Policies
from workers.handlers.recognise import RecogniseDocuments
from workers.ports import Note
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore
from workers.store.troubles import PostgresTroubles

AWAY = UnavailableError("the recognition service cannot be reached")


def recognise(store: PostgresStore, document_id: int, note: Note) -> None:
    """A worker's try while the recognition service is away."""
    handler = RecogniseDocuments(
        store=store,
        recogniser=FakeRecogniser(failures=deque([AWAY] * 1000)),
        detectors=Detectors(),
        form=Form(),
        label_set=label_set("wnut17"),
        clock=FakeClock(),
        max_attempts=5,
        policies=Policies(),
        note=note,
    )
    with pytest.raises(UnavailableError):
        handler([document_id])


def test_a_system_at_rest_has_no_findings(world: World) -> None:
    assert world.client.get("/v1/status").json()["findings"] == []
    assert world.client.get("/v1/findings").json() == {"findings": []}
    assert 'linkner_findings{kind="relay"} 0.0' in world.client.get("/metrics").text.splitlines()


def test_a_recognition_service_that_is_away_is_named(engine: Engine) -> None:
    store, clock = PostgresStore(engine), FakeClock()
    with gateway_over(store, PostgresReader(engine), FakeQueues(), clock) as client:
        document_id = client.post("/v1/documents", json=[post()]).json()["items"][0]["id"]
        note = PostgresTroubles(engine, clock=FakeClock(), start=lambda work: work()).note
        recognise(store, document_id, note)
        [found] = client.get("/v1/status").json()["findings"]
        metrics = client.get("/metrics").text.splitlines()

    assert found == {
        "kind": "recognise",
        "problem": str(AWAY),
        "hint": "`linkner worker recognise` waits, and tries it again",
    }
    assert 'linkner_findings{kind="recognise"} 1.0' in metrics


def test_posts_that_no_relay_moves_are_told(engine: Engine) -> None:
    with gateway_over(PostgresStore(engine), PostgresReader(engine), FakeQueues(waiting=0)) as client:
        client.post("/v1/documents", json=[post()])
        with engine.begin() as connection:
            connection.execute(text("UPDATE documents SET not_before = now() - interval '1 minute'"))
        [found] = client.get("/v1/status").json()["findings"]
        metrics = client.get("/metrics").text

    assert (found["kind"], found["hint"]) == ("relay", "is `linkner relay` running?")
    assert 'linkner_oldest_due_seconds{stage="recognise"} 60.' in metrics
