"""Celery tasks: unwrap a message, call its handler, log what came of it. No logic lives here.

A message that cannot be used is parked, and one that this process takes no more goes back to its queue. One
that cannot be handled now is forgotten where it carries ids: the relay publishes them again. Where it carries
posts, which are nowhere else yet, it goes back to its queue.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from celery.exceptions import Reject

from broker.consumer import REQUEUE_PAUSE_S, Park
from broker.messages import decode_ids, decode_posts
from broker.queues import INGEST, task_name
from linkner.errors import InputError, LinknerError, StoppedError, UnavailableError
from workers.ports import Note

log = logging.getLogger("linkner.tasks")

IdsHandler = Callable[[Sequence[int]], object]
PostsHandler = Callable[[Sequence[Any]], object]
Handle = Callable[[object], object]


def register_ids_task(app: Celery, queue: str, handler: IdsHandler, *, park: Park, note: Note) -> None:
    """Have `handler` take the ids of every message of the queue."""

    def handle(message: object) -> object:
        ids = decode_ids(message)
        try:
            return handler(ids)
        except StoppedError:
            raise
        except LinknerError as error:
            log.warning("action=failed queue=%s error=%s", queue, error)
            note(queue, error)
            return None

    _register(app, queue, handle, park, note)


def register_posts_task(app: Celery, handler: PostsHandler, *, park: Park, note: Note) -> None:
    """Have `handler` take the posts of every `ingest` message."""

    def handle(message: object) -> object:
        try:
            return handler(decode_posts(message))
        except (InputError, UnavailableError):
            raise
        except Exception as error:
            log.exception("action=failed queue=%s", INGEST)
            raise InputError("its handler failed", got=type(error).__name__) from error

    _register(app, INGEST, handle, park, note)


def _register(app: Celery, queue: str, handle: Handle, park: Park, note: Note) -> None:
    def run(*arguments: object, **options: object) -> None:
        message = arguments[0] if len(arguments) == 1 and not options else [arguments, options]
        try:
            _handle_or_park(queue, message, handle, park)
        except StoppedError as error:
            raise Reject(error, requeue=True) from error
        except UnavailableError as error:
            log.warning("action=requeued queue=%s error=%s", queue, error)
            note(queue, error)
            time.sleep(REQUEUE_PAUSE_S)
            raise Reject(error, requeue=True) from error

    app.task(run, name=task_name(queue), shared=False)


def _handle_or_park(queue: str, message: object, handle: Handle, park: Park) -> None:
    try:
        outcome = handle(message)
    except InputError as error:
        park(queue, message, str(error))
    else:
        log.debug("action=done queue=%s outcome=%s", queue, outcome)
