"""Waiting for a service that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from linkner.errors import UnavailableError
from workers.ports import Clock

T = TypeVar("T")


def patiently(call: Callable[[], T], *, clock: Clock, patience_s: float) -> T:
    """What `call` returns, called again, with growing pauses, while the service is away, for `patience_s`.

    Raises:
        UnavailableError: the service stayed away.
    """
    give_up = clock.monotonic() + patience_s
    pause = 0.1
    while True:
        try:
            return call()
        except UnavailableError:
            if clock.monotonic() + pause > give_up:
                raise
            clock.sleep(pause)
            pause = min(pause * 2, 5.0)
