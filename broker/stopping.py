"""What a worker does once it was told to stop, while it waits for what is in hand, and after that."""

from __future__ import annotations

import threading
from collections.abc import Callable

from celery import signals


def after_stopping(act: Callable[[], None], *, after_s: float = 0.0) -> None:
    """Have `act` called on a thread of its own, `after_s` seconds after SIGTERM."""

    def start_clock(**_: object) -> None:
        timer = threading.Timer(after_s, act)
        timer.daemon = True
        timer.start()

    signals.worker_shutting_down.connect(start_clock, weak=False)


def when_stopped(act: Callable[[], None]) -> None:
    """Have `act` called once all messages in hand are done, before the process ends."""

    def run(**_: object) -> None:
        act()

    signals.worker_shutdown.connect(run, weak=False)
