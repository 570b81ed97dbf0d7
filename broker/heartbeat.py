"""A sign of life for health checks: a file that is touched as long as the process turns its loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery, bootsteps

EVERY_S = 5.0
"""Most seconds between two signs of life; a health check should allow several times that."""

_TURN_S = 0.5
"""Most seconds between two turns of a worker's loop; each gives a sign of life."""


def beat(path: str) -> None:
    """Touch the file; an empty path means that nobody looks."""
    if path:
        Path(path).touch()


def beat_in_worker(app: Celery, path: str) -> None:
    """Have the application's workers touch the file from the event loop that receives their messages.

    Also where there is no file: a loop that waits for messages notices SIGTERM when it next turns, which on
    RabbitMQ would take ten seconds.
    """

    class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = frozenset({"celery.worker.components:Timer"})

        def start(self, parent: Any) -> None:
            beat(path)
            parent.timer.call_repeatedly(_TURN_S, beat, (path,))

        def stop(self, parent: Any) -> None:
            """The timer ends with the worker."""

    app.steps["worker"].add(Heartbeat)
