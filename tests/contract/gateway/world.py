"""The gateway's neighbours as its tests set them up, and a client of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx

from broker.settings import Settings
from linkner.errors import UnavailableError
from linkner.spans import Entity, Recognition
from tests.contract.gateway.server import serving
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.support.joining import complete
from workers.bootstrap import limits
from workers.gateway.app import create_app
from workers.ports import Reader, Recognised, Selection, Store
from workers.store.erasing import PostgresErasure

SETTINGS = Settings(max_text_chars=50, max_items=4, max_body_bytes=2_000, high_water=2)
LIMITS = limits(SETTINGS)


@dataclass
class FakeQueues:
    """Messages wait in each queue, while the broker is up; while it hangs, whoever asks waits."""

    waiting: int = 1
    is_down: bool = False
    goes_on: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def send(self, stage: str, ids: Any) -> None:
        raise AssertionError("the gateway publishes nothing")

    def depth(self, stage: str) -> int:
        self.asked.set()
        self.goes_on.wait(20)
        if self.is_down:
            raise UnavailableError("the message broker did not answer")
        return self.waiting


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
    clock: FakeClock

    def later(self) -> None:
        """Some time after: what the gateway saw before no longer counts."""
        self.clock.now += 10.0

    def submit(self, *posts: Any) -> httpx.Response:
        return self.client.post("/v1/documents", json=list(posts))

    def finish(self, document_id: int, *entities: Entity) -> None:
        recognition = Recognition(entities=(), plausible=())
        self.store.record_recognised([Recognised(document_id, "spanner-1", recognition, ())])
        complete(self.store, {document_id: entities})

    def erase(self, selection: Selection) -> None:
        erasure = self.store if isinstance(self.store, FakeStore) else PostgresErasure(self.store._engine)
        erasure.erase(selection, after=0, limit=10)


def gateway_over(
    store: Store, reader: Reader, queues: FakeQueues | None = None, clock: FakeClock | None = None
) -> AbstractContextManager[httpx.Client]:
    return serving(
        create_app(
            store=store,
            reader=reader,
            settings=SETTINGS,
            limits=LIMITS,
            queues=queues,
            keys=None,
            clock=clock or FakeClock(),
        )
    )


def post(external_id: str = "1", text: str = "hello Porto", **more: Any) -> dict[str, Any]:
    return {"source": "twitter", "external_id": external_id, "text": text} | more
