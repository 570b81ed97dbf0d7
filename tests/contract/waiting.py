"""Waiting until another transaction waits, so that tests of concurrency need no sleep to be deterministic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine, text

_BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def wait_until_blocked(
    engine: Engine, *, or_: Callable[[], bool] = lambda: False, within_s: float = 20.0
) -> None:
    """Return when a transaction in the database waits for a lock, or when `or_` holds."""
    give_up = time.monotonic() + within_s
    pause = threading.Event()
    while not or_():
        with engine.connect() as connection:
            if connection.execute(_BLOCKED).scalar_one():
                return
        if time.monotonic() > give_up:
            raise AssertionError("nothing waits for a lock")
        pause.wait(0.01)
