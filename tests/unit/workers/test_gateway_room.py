"""Whether there is room costs the store one short count a second, however many requests come."""

from __future__ import annotations

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from workers.gateway.problems import Refusal
from workers.gateway.submission import COUNT_AGE_S, Room


class Overloaded(FakeStore):
    """Has more unfinished documents than anybody counts; knows how far it was counted each time."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.counted: list[int | None] = []

    def unfinished(self, *, up_to: int | None = None) -> int:
        self.counted.append(up_to)
        return up_to or 1_000_000


def test_requests_of_one_second_share_a_count_that_ends_past_the_mark() -> None:
    store, clock = Overloaded(), FakeClock()
    room = Room(store, high_water=100, clock=clock)

    def refused() -> Refusal:
        with pytest.raises(Refusal) as raised:
            room.check()
        return raised.value

    assert [refused().status_code for _ in range(20)] == [429] * 20
    assert store.counted == [101]
    assert (refused().problem.expected, refused().problem.got) == ("at most 100", "more")
    clock.now += COUNT_AGE_S
    refused()
    assert store.counted == [101, 101]
