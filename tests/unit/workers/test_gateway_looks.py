"""A look is shared: by those who come while it is under way, and by those who come soon after."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from linkner.errors import UnavailableError
from tests.fakes.clock import FakeClock
from workers.gateway.looks import SharedLook, seen

AWAY = UnavailableError("it is away")


class Neighbour:
    """Tells how often it was asked, while it is up; waits where it is told to."""

    def __init__(self) -> None:
        self.asked, self.is_up = 0, True
        self.has_begun, self.goes_on = Event(), Event()
        self.goes_on.set()

    def __call__(self) -> int:
        self.asked += 1
        self.has_begun.set()
        assert self.goes_on.wait(20)
        if not self.is_up:
            raise AWAY
        return self.asked


def shared(look: Callable[[], int], clock: FakeClock) -> SharedLook[int]:
    waiting = UnavailableError("it is being waited for")
    return SharedLook(look, clock=clock, max_age_s=2.0, at_first=waiting)


def test_what_is_seen_is_kept_for_a_while() -> None:
    clock = FakeClock()
    look = shared(Neighbour(), clock)

    soon = [look(), look()]
    clock.now += 2.0

    assert [*soon, look()] == [1, 1, 2]


def test_that_it_is_away_is_kept_for_a_while_too() -> None:
    neighbour, clock = Neighbour(), FakeClock()
    look = shared(neighbour, clock)
    neighbour.is_up = False

    for _ in range(3):
        with pytest.raises(UnavailableError, match="it is away"):
            look()
    neighbour.is_up = True
    clock.now += 2.0

    assert look() == neighbour.asked == 2


def test_nobody_waits_for_a_look_that_another_has_begun() -> None:
    neighbour, clock = Neighbour(), FakeClock()
    look = shared(neighbour, clock)

    def meanwhile() -> tuple[str, int]:
        """What another sees while one looks anew."""
        neighbour.has_begun.clear()
        neighbour.goes_on.clear()
        clock.now += 2.0
        one = threads.submit(look)
        try:
            assert neighbour.has_begun.wait(20)
            return seen(look, otherwise=0)
        finally:
            neighbour.goes_on.set()
            one.result()

    with ThreadPoolExecutor() as threads:
        assert [meanwhile(), meanwhile()] == [("it is being waited for", 0), ("ok", 1)]
    assert neighbour.asked == 2


def test_the_next_one_looks_where_a_look_ended_in_a_defect() -> None:
    def defective() -> int:
        raise ZeroDivisionError

    look = shared(defective, FakeClock())

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            look()


def test_an_error_does_not_grow_with_the_times_it_is_told() -> None:
    neighbour = Neighbour()
    neighbour.is_up = False
    look = shared(neighbour, FakeClock())

    def depth() -> int:
        with pytest.raises(UnavailableError) as raised:
            look()
        return len(raised.traceback)

    depth()
    assert depth() == depth()
