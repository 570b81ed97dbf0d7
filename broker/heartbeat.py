"""A sign of life for health checks: a file that is touched as long as the process turns its loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery, bootsteps

EVERY_S = 5.0
"""Seconds between two signs of a worker; a health check should allow several times that."""


def beat(path: str) -> None:
    """Touch the file; an empty path means that nobody looks."""
    if path:
        Path(path).touch()


def beat_in_worker(app: Celery, path: str) -> None:
    """Have the application's workers touch the file from the event loop that receives their messages."""

    class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = frozenset({"celery.worker.components:Timer"})

        def start(self, parent: Any) -> None:
            beat(path)
            parent.timer.call_repeatedly(EVERY_S, beat, (path,))

        def stop(self, parent: Any) -> None:
            """The timer ends with the worker."""

    if path:
        app.steps["worker"].add(Heartbeat)
