"""What operators see of the gateway over real HTTP, and how it fails."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from linkner.errors import ConfigurationError
from tests.contract.gateway.server import serving
from tests.contract.gateway.world import LIMITS, SETTINGS, World, gateway_over, post
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.support.waiting import wait_until
from workers.gateway.app import create_app
from workers.gateway.server import run
from workers.ports import Reader, Store


def test_503_where_the_store_is_away(unreachable: tuple[Store, Reader]) -> None:
    with gateway_over(*unreachable) as client:
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


def test_readiness_names_the_broker_where_it_is_away(world: World) -> None:
    up = world.client.get("/readyz")
    world.queues.is_down = True
    world.later()
    down = world.client.get("/readyz")

    assert (up.status_code, up.json()) == (200, {"ready": True, "store": "ok", "broker": "ok"})
    assert down.status_code == 503
    assert down.json() == {"ready": False, "store": "ok", "broker": "the message broker did not answer"}
    assert world.submit(post()).status_code == 202  # posts need no broker


def test_a_broker_that_hangs_keeps_no_thread_but_the_one_that_looks(world: World) -> None:
    world.queues.goes_on.clear()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(world.client.get, "/readyz")
        try:
            assert world.queues.asked.wait(20)
            others = [
                world.client.get(path) for path in ("/readyz", "/metrics", "/v1/status") for _ in range(20)
            ]
            posted = world.submit(post())
        finally:
            world.queues.goes_on.set()

    assert first.result().json()["broker"] == "ok"
    assert (
        others[0].json()["broker"] == others[-1].json()["broker"] == "the message broker is being waited for"
    )
    assert {answer.status_code for answer in others[20:]} == {200}
    assert posted.status_code == 202


def test_status_counts_documents_and_messages(world: World) -> None:
    world.finish(world.submit(post("1"), post("2")).json()["items"][0]["id"])

    status = world.client.get("/v1/status").json()

    assert status["documents"] == {"accepted": 1, "complete": 1}
    assert status["queues"] == {"recognise": 1, "classify": 1, "aggregate": 1}


def test_metrics_show_the_state_of_everything(world: World) -> None:
    world.submit(post("1"), post("1"), post("2", ""))

    lines = world.client.get("/metrics").text.splitlines()
    world.queues.is_down = True
    world.later()
    later = world.client.get("/metrics").text.splitlines()

    assert 'linkner_documents{state="accepted"} 1.0' in lines
    assert "linkner_store_up 1.0" in lines
    assert 'linkner_queue_depth{queue="classify"} 1.0' in lines
    assert 'linkner_gateway_posts_total{status="duplicate"} 1.0' in lines
    assert 'linkner_gateway_posts_total{status="rejected"} 1.0' in lines
    assert "linkner_broker_up 1.0" in lines
    assert "linkner_broker_up 0.0" in later


def test_a_later_scrape_tells_what_was_finished_when_one_had_been_answered(world: World) -> None:
    world.finish(world.submit(post("1")).json()["items"][0]["id"])

    first = world.client.get("/metrics").text.splitlines()

    finished = 'linkner_documents{state="complete"} 1.0'
    assert finished not in first
    assert wait_until(lambda: finished in world.client.get("/metrics").text.splitlines())


def test_a_defect_is_a_500_that_tells_nothing() -> None:
    class Defective(FakeStore):
        def unfinished(self, *, up_to: int | None = None) -> int:
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
