"""Waiting for other processes, where nothing but looking again can tell."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], *, within_s: float = 15.0, every_s: float = 0.02) -> bool:
    """Whether the condition came to hold in time."""
    give_up = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(every_s)
    return True
