"""The gateway over real HTTP, on the store in memory and on PostgreSQL."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from broker.settings import Settings
from linkner.errors import ConfigurationError, UnavailableError
from linkner.spans import Entity, Recognition, Span
from tests.contract.gateway_server import serving
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from workers.bootstrap import limits
from workers.gateway.app import create_app
from workers.gateway.server import run
from workers.ports import Reader, Recognised, Selection, Store
from workers.store.database import connect
from workers.store.erasing import PostgresErasure
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

SETTINGS = Settings(max_text_chars=50, max_items=4, max_body_bytes=2_000, high_water=2)
LIMITS = limits(SETTINGS)


@dataclass
class FakeQueues:
    """One message waits in each queue, while the broker is up."""

    is_down: bool = False

    def send(self, stage: str, ids: Any) -> None:
        raise AssertionError("the gateway publishes nothing")

    def depth(self, stage: str) -> int:
        if self.is_down:
            raise UnavailableError("the message broker did not answer")
        return 1


class Away:
    """A store and a reader that cannot be reached."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fails(*args: Any, **kwargs: Any) -> Any:
            raise UnavailableError("the store is away", retry_after_s=2.5)

        return fails


@dataclass
class World:
    """The gateway's neighbours, and a client of it."""

    store: Store
    reader: Reader
    queues: FakeQueues
    client: httpx.Client

    def submit(self, *posts: Any) -> httpx.Response:
        return self.client.post("/v1/documents", json=list(posts))

    def finish(self, document_id: int, *entities: Entity) -> None:
        recognition = Recognition(entities=(), plausible=())
        self.store.record_recognised([Recognised(document_id, "spanner-1", recognition, ())])
        self.store.complete({document_id: entities})

    def erase(self, selection: Selection) -> None:
        erasure = self.store if isinstance(self.store, FakeStore) else PostgresErasure(self.store._engine)
        erasure.erase(selection, after=0, limit=10)


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
    queues = FakeQueues()
    with _serving(*ports, queues) as client:
        yield World(*ports, queues, client)


def _serving(
    store: Store, reader: Reader, queues: FakeQueues | None = None
) -> AbstractContextManager[httpx.Client]:
    return serving(
        create_app(
            store=store,
            reader=reader,
            settings=SETTINGS,
            limits=LIMITS,
            queues=queues,
            keys=None,
            clock=FakeClock(),
        )
    )


def post(external_id: str = "1", text: str = "hello Porto", **more: Any) -> dict[str, Any]:
    return {"source": "twitter", "external_id": external_id, "text": text} | more


def test_what_is_answered_202_is_committed(world: World) -> None:
    answer = world.submit(post(metadata={"likes": 3}, created_at="2026-03-07T17:00:00+01:00"))

    assert answer.status_code == 202
    stored = world.reader.document(answer.json()["items"][0]["id"])
    assert stored is not None
    assert (stored.text, stored.metadata, stored.status) == ("hello Porto", {"likes": 3}, "accepted")


def test_each_post_gets_its_own_result(world: World) -> None:
    world.submit(post("1"))

    answer = world.submit(post("1"), post("1", "another text"), post("2", ""), post("3"))

    assert answer.status_code == 202
    body = answer.json()
    assert [item["status"] for item in body["items"]] == ["duplicate", "conflict", "rejected", "accepted"]
    assert [body[name] for name in ("accepted", "duplicates", "conflicts", "rejected")] == [1, 1, 1, 1]
    assert body["items"][0]["id"] == body["items"][1]["id"]
    assert body["items"][2]["error"]["problem"] == "text is empty"


def test_the_same_post_twice_in_one_body_is_one_document(world: World) -> None:
    first, second = world.submit(post(), post()).json()["items"]

    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert first["id"] == second["id"]


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl; charset=utf-8"])
def test_lines_are_taken_and_a_bad_one_is_named_by_its_line(world: World, content_type: str) -> None:
    body = f"{json.dumps(post('é'))}\n\n{{not json\n".encode()

    answer = world.client.post("/v1/documents", content=body, headers={"content-type": content_type})

    assert answer.status_code == 202
    good, bad = answer.json()["items"]
    assert good["status"] == "accepted"
    assert (bad["status"], bad["index"], bad["line"]) == ("rejected", 1, 3)


def test_400_with_each_error_where_every_post_is_rejected(world: World) -> None:
    answer = world.submit(post(text="x" * 51), post(text="a\0b"))

    assert answer.status_code == 400
    problems = [item["error"]["problem"] for item in answer.json()["items"]]
    assert problems == ["text is too long", "text has a NUL character"]


def test_400_where_the_body_cannot_be_read(world: World) -> None:
    too_many = world.submit(*(post(str(number)) for number in range(5)))
    broken = world.client.post("/v1/documents", content=b"[", headers={"content-type": "application/json"})

    assert (too_many.status_code, broken.status_code) == (400, 400)
    assert too_many.json()["error"] == {
        "problem": "the body holds too many posts",
        "expected": "1 to 4 posts",
        "got": "5",
        "hint": "send them in several requests",
    }


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "text/plain"}, {"content-type": "application/json", "content-encoding": "gzip"}],
)
def test_415_for_what_is_not_json(world: World, headers: dict[str, str]) -> None:
    answer = world.client.post("/v1/documents", content=b"[]", headers=headers)

    assert answer.status_code == 415


def test_413_for_a_body_that_says_it_is_too_large(world: World) -> None:
    answer = world.client.post(
        "/v1/documents", content=b"x" * 2_001, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 413


def test_413_comes_while_a_body_of_unknown_length_still_streams(world: World) -> None:
    url = world.client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n7d1\r\n" + b"x" * 2_001 + b"\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_429_past_the_high_water_mark_until_documents_are_finished(world: World) -> None:
    ids = [item["id"] for item in world.submit(post("1"), post("2"), post("3")).json()["items"]]

    refused = world.submit(post("4"))
    world.finish(ids[0])
    taken = world.submit(post("4"))

    assert (refused.status_code, taken.status_code) == (429, 202)
    assert int(refused.headers["retry-after"]) > 0
    assert taken.json()["accepted"] == 1  # nothing of the refused request was kept


def test_503_where_the_store_is_away(unreachable: tuple[Store, Reader]) -> None:
    with _serving(*unreachable) as client:
        answers = [
            client.post("/v1/documents", json=[post()]),
            client.get("/v1/documents/1"),
            client.get("/v1/documents", params={"source": "twitter", "external_id": "1"}),
            client.get("/v1/feed"),
            client.get("/v1/status"),
        ]
        ready, alive, metrics = client.get("/readyz"), client.get("/healthz"), client.get("/metrics")

    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert ready.status_code == 503
    assert ready.json()["store"] != "ok"
    assert alive.status_code == 200
    assert "linkner_store_up 0.0" in metrics.text


def test_a_document_is_found_by_its_id_and_by_its_name(world: World) -> None:
    id_ = world.submit(post("x/1 é")).json()["items"][0]["id"]

    by_id = world.client.get(f"/v1/documents/{id_}")
    by_name = world.client.get("/v1/documents", params={"source": "twitter", "external_id": "x/1 é"})

    assert by_id.status_code == 200
    assert by_id.json() == by_name.json()
    assert by_id.json()["id"] == id_


def test_unknown_documents_and_parameters_out_of_range(world: World) -> None:
    expected = {
        "/v1/documents/1": 404,
        "/v1/documents?source=twitter&external_id=1": 404,
        f"/v1/documents/{2**63 - 1}": 404,
        f"/v1/documents/{2**63}": 422,
        f"/v1/documents/{'9' * 5_000}": 422,
        "/v1/documents/0": 422,
        "/v1/documents/porto": 422,
        "/v1/documents?source=twitter": 422,
        "/v1/documents?source=a%00b&external_id=1": 422,
        f"/v1/feed?after={2**63}": 422,
        "/v1/feed?after=-1": 422,
        "/v1/feed?limit=0": 422,
        "/v1/feed?limit=1001": 422,
    }

    answers = {path: world.client.get(path) for path in expected}

    assert {path: answer.status_code for path, answer in answers.items()} == expected
    assert all(answer.json()["error"]["problem"] for answer in answers.values())


def test_the_feed_tells_of_what_was_erased(world: World) -> None:
    first, second = (item["id"] for item in world.submit(post("1", author="ada"), post("2")).json()["items"])
    world.finish(first)
    world.finish(second)
    page = world.client.get("/v1/feed").json()
    assert [entry["document"]["author"] for entry in page["items"]] == ["ada", None]
    world.erase(Selection(author="ada"))
    news = world.client.get("/v1/feed", params={"after": page["next"]}).json()
    assert news == {"items": [], "erased": [{"cursor": news["next"], "id": first}], "next": news["next"]}
    assert news["next"] > page["next"]
    assert world.client.get(f"/v1/documents/{first}").status_code == 404


def test_the_feed_goes_on_after_its_cursor_and_shows_how_labels_came_about(world: World) -> None:
    first, second = (item["id"] for item in world.submit(post("1"), post("2")).json()["items"])
    empty = world.client.get("/v1/feed").json()
    porto = Entity(Span(6, 11), "location", "fallback", 0.75, 0.5, reason="deadline")
    world.finish(second, porto)
    world.finish(first)

    page = world.client.get("/v1/feed", params={"limit": 1}).json()
    rest = world.client.get("/v1/feed", params={"after": page["next"]}).json()
    end = world.client.get("/v1/feed", params={"after": rest["next"]}).json()

    assert empty == {"items": [], "erased": [], "next": 0}
    assert [entry["document"]["id"] for entry in page["items"] + rest["items"]] == [second, first]
    assert end == {"items": [], "erased": [], "next": rest["next"]}
    [document] = [entry["document"] for entry in page["items"]]
    assert document["status"] == "final"
    [entity] = document["entities"]
    assert (entity["start"], entity["end"], entity["text"]) == (6, 11, "Porto")
    assert (entity["decided_by"], entity["reason"], entity["replayed"]) == ("fallback", "deadline", False)


def test_readiness_names_the_broker_where_it_is_away(world: World) -> None:
    up = world.client.get("/readyz")
    world.queues.is_down = True
    down = world.client.get("/readyz")

    assert (up.status_code, up.json()) == (200, {"ready": True, "store": "ok", "broker": "ok"})
    assert down.status_code == 503
    assert down.json() == {"ready": False, "store": "ok", "broker": "the message broker did not answer"}
    assert world.submit(post()).status_code == 202  # posts need no broker


def test_status_counts_documents_and_messages(world: World) -> None:
    world.finish(world.submit(post("1"), post("2")).json()["items"][0]["id"])

    status = world.client.get("/v1/status").json()

    assert status["documents"] == {"accepted": 1, "complete": 1}
    assert status["queues"] == {"recognise": 1, "classify": 1, "aggregate": 1}


def test_metrics_show_the_state_of_everything(world: World) -> None:
    world.submit(post("1"), post("1"), post("2", ""))

    lines = world.client.get("/metrics").text.splitlines()
    world.queues.is_down = True
    later = world.client.get("/metrics").text.splitlines()

    assert 'linkner_documents{state="accepted"} 1.0' in lines
    assert 'linkner_queue_depth{queue="classify"} 1.0' in lines
    assert 'linkner_gateway_posts_total{status="duplicate"} 1.0' in lines
    assert 'linkner_gateway_posts_total{status="rejected"} 1.0' in lines
    assert "linkner_broker_up 1.0" in lines
    assert "linkner_broker_up 0.0" in later


def test_a_defect_is_a_500_that_tells_nothing() -> None:
    class Defective(FakeStore):
        def unfinished(self) -> int:
            raise RuntimeError("hello Porto")

    store = Defective(FakeClock())
    app = create_app(
        store=store, reader=store, settings=SETTINGS, limits=LIMITS, queues=None, keys=None, clock=FakeClock()
    )
    with serving(app) as client:
        client.event_hooks = {"response": []}
        answer = client.post("/v1/documents", json=[post()])

    assert answer.status_code == 500
    assert answer.json()["error"]["problem"] == "the gateway failed"
    assert "Porto" not in answer.text


def test_an_address_in_use_is_a_configuration_error() -> None:
    store = FakeStore(FakeClock())
    app = create_app(
        store=store, reader=store, settings=SETTINGS, limits=LIMITS, queues=None, keys=None, clock=FakeClock()
    )
    told: Callable[[str], None] = pytest.fail
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationError, match="cannot listen on 127"),
    ):
        run(app, "127.0.0.1", taken.getsockname()[1], told)
