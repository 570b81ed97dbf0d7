"""What becomes of a message whose handler fails: posts are parked or come again, ids are forgotten."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Reject

import workers.tasks
from broker.messages import encode_ids, encode_posts
from linkner.errors import RejectedError, StoppedError, UnavailableError
from workers.ports import Note, forget
from workers.tasks import register_ids_task, register_posts_task

POSTS = encode_posts([{"text": "Ada in Oslo"}])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.tasks, "REQUEUE_PAUSE_S", 0.0)


class Parking:
    """Keeps what is parked, unless it has an error to raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.parked: list[tuple[str, object]] = []

    def __call__(self, queue: str, message: object, problem: str) -> None:
        if self.error is not None:
            raise self.error
        self.parked.append((queue, message))


def failing(error: Exception) -> Callable[[Any], object]:
    def handle(_: Any) -> object:
        raise error

    return handle


def deliver(message: object, *, error: Exception, parking: Parking, note: Note = forget) -> None:
    """A message to a worker whose handlers raise this."""
    app = Celery(set_as_current=False)
    register_posts_task(app, failing(error), park=parking, note=note)
    register_ids_task(app, "classify", failing(error), park=parking, note=note)
    app.tasks["linkner.ingest" if message is POSTS else "linkner.classify"](message)


@pytest.mark.parametrize("error", [ValueError("a defect"), RejectedError("never")])
def test_posts_that_no_handler_can_take_are_parked(error: Exception) -> None:
    parking = Parking()
    deliver(POSTS, error=error, parking=parking)
    assert parking.parked == [("ingest", POSTS)]


def test_posts_that_cannot_be_parked_go_back_to_their_queue() -> None:
    with pytest.raises(Reject) as caught:
        deliver(POSTS, error=ValueError("a defect"), parking=Parking(UnavailableError("the store is away")))
    assert caught.value.requeue


@pytest.mark.parametrize("error", [UnavailableError("the store is away"), StoppedError("it stops")])
def test_posts_that_cannot_be_handled_now_go_back_to_their_queue(error: Exception) -> None:
    parking = Parking()
    with pytest.raises(Reject) as caught:
        deliver(POSTS, error=error, parking=parking)
    assert caught.value.requeue
    assert parking.parked == []


def test_ids_are_forgotten_as_the_relay_publishes_them_again() -> None:
    parking = Parking()
    deliver(encode_ids([1]), error=UnavailableError("the store is away"), parking=parking)
    assert parking.parked == []


@pytest.mark.parametrize(("message", "queue"), [(POSTS, "ingest"), (encode_ids([1]), "classify")])
def test_what_keeps_a_message_from_being_handled_is_noted(message: object, queue: str) -> None:
    noted: list[tuple[str, Exception]] = []
    away = UnavailableError("the store is away")
    with suppress(Reject):
        deliver(message, error=away, parking=Parking(), note=lambda *trouble: noted.append(trouble))
    assert noted == [(queue, away)]


def test_a_worker_that_stops_is_no_trouble() -> None:
    with pytest.raises(Reject):
        deliver(encode_ids([1]), error=StoppedError("it stops"), parking=Parking(), note=pytest.fail)
