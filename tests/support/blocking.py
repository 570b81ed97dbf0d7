"""Waiting until another transaction waits: tests of concurrency are then the same on every run."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, text

from tests.support.waiting import wait_until

_BLOCKED = text("""
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


def wait_until_blocked(engine: Engine, *, or_: Callable[[], bool] = lambda: False) -> None:
    """Return when a transaction in the database waits for a lock, or when `or_` holds."""

    def is_blocked() -> bool:
        with engine.connect() as connection:
            return bool(connection.execute(_BLOCKED).scalar_one())

    assert wait_until(lambda: or_() or is_blocked()), "nothing waits for a lock"
