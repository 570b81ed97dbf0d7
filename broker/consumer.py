"""A Celery consumer that drops nothing: a message that no task takes is parked.

Celery throws away (and logs, with all that it holds) what it cannot decode, what no registered task takes,
and what is no task at all; some of those even end the worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

from broker.queues import DEAD
from linkner.errors import UnavailableError

log = logging.getLogger("linkner.broker")

Park = Callable[[str, object, str], None]
"""Keeps a message for an operator: its queue, what it holds (JSON), and what is wrong with it.

Raises UnavailableError where it cannot be kept now.
"""

REQUEUE_PAUSE_S = 5.0
"""How long a message that can be neither handled nor parked is held before it goes back to its queue."""


def parking_consumer(park: Park, *, prefix: str) -> type[Consumer]:
    """The consumer class; `prefix` is what queue names have before LinkNER's own names."""

    class ParkingConsumer(Consumer):  # type: ignore[misc]
        def on_unknown_message(self, _body: object, message: Any) -> None:
            self._park(message, "it is no task")

        def on_unknown_task(self, _body: object, message: Any, _exc: Exception) -> None:
            self._park(message, f"no task is named {str(message.headers.get('task'))[:80]!r}")

        def on_invalid_task(self, _body: object, message: Any, exc: Exception) -> None:
            self._park(message, f"it cannot be read as a task: {type(exc).__name__}")

        def on_decode_error(self, message: Any, exc: Exception) -> None:
            self._park(message, f"it cannot be decoded: {type(exc).__name__}")

        def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
            receive = super().create_task_handler(*args, **kwargs)

            def on_task_received(message: Any) -> None:
                if _queue(message) == DEAD:
                    self._park(message, "it was delivered too often: it may kill the workers that take it")
                    return
                try:
                    receive(message)
                except self.connection_errors:
                    raise
                except Exception as error:
                    self.on_invalid_task(None, message, error)

            return on_task_received

        def _park(self, message: Any, problem: str) -> None:
            queue = _first_queue(message)
            try:
                park(queue, _content(message), problem)
            except UnavailableError as error:
                log.warning("action=requeued queue=%s error=%s", queue, error)
                time.sleep(REQUEUE_PAUSE_S)
                message.requeue()
            else:
                message.ack_log_error(log, self.connection_errors)

    def _queue(message: Any) -> str:
        return str(message.delivery_info.get("routing_key", "")).removeprefix(prefix)

    def _first_queue(message: Any) -> str:
        """The queue that the message was sent to: RabbitMQ says from where it came to `dead`."""
        deaths = message.headers.get("x-death") if isinstance(message.headers, dict) else None
        return str(deaths[0]["queue"]).removeprefix(prefix) if deaths else _queue(message)

    return ParkingConsumer


def _content(message: Any) -> object:
    """What a task would have been given, else the whole body, as text where it is no JSON."""
    try:
        body = message.decode()
    except Exception:
        raw = message.body
        return raw.decode(errors="backslashreplace") if isinstance(raw, bytes) else str(raw)
    match body:
        case [[argument], dict(), *_]:
            return argument
    return body
