"""Celery tasks: unwrap a message, call its handler, log what came of it. No logic lives here.

A task never raises for a message it cannot read or a service that is down: the relay publishes again what
stays unfinished, so Celery's own retrying is not needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery

from broker.messages import decode_ids, decode_posts
from broker.queues import INGEST, task_name
from linkner.errors import InputError, LinknerError

log = logging.getLogger("linkner.tasks")

IdsHandler = Callable[[Sequence[int]], object]
PostsHandler = Callable[[Sequence[Any]], object]


def register_ids_task(app: Celery, queue: str, handler: IdsHandler) -> None:
    """Have `handler` take the ids of every message of the queue."""
    _register(app, queue, lambda message: handler(decode_ids(message)))


def register_posts_task(app: Celery, handler: PostsHandler) -> None:
    """Have `handler` take the posts of every `ingest` message."""
    _register(app, INGEST, lambda message: handler(decode_posts(message)))


def _register(app: Celery, queue: str, handle: Callable[[object], object]) -> None:
    def run(message: object) -> None:
        try:
            outcome = handle(message)
        except InputError as error:
            log.error("action=unreadable queue=%s error=%s", queue, error)  # noqa: TRY400 (the trace says no more)
        except LinknerError as error:
            log.warning("action=failed queue=%s error=%s", queue, error)
        else:
            log.debug("action=done queue=%s outcome=%s", queue, outcome)

    app.task(run, name=task_name(queue), shared=False)
