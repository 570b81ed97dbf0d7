"""Waiting for a service that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from linkner.errors import UnavailableError
from workers.ports import Clock

T = TypeVar("T")

TELL_AFTER_S = 10.0
"""How long a service may be away, or busy, before it is worth telling."""


def patiently(
    call: Callable[[], T],
    *,
    clock: Clock,
    patience_s: float,
    tell: Callable[[UnavailableError], None] = lambda _: None,
) -> T:
    """What `call` returns, called again, with growing pauses, while the service is away, for `patience_s`.

    `tell` is called with each error that comes later than TELL_AFTER_S.

    Raises:
        UnavailableError: the service stayed away.
    """
    began = clock.monotonic()
    pause = 0.1
    while True:
        try:
            return call()
        except UnavailableError as error:
            waited = clock.monotonic() - began
            if waited >= TELL_AFTER_S:
                tell(error)
            if waited + pause > patience_s:
                raise
            clock.sleep(pause)
            pause = min(pause * 2, 5.0)
