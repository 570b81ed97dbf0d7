"""How a run ends: what it waits for, and what it calls missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.fakes.clock import FakeClock
from tests.unit.workers.chaos.test_record import TEXT, accepted, item
from workers.chaos import run as run_module
from workers.chaos.record import RunRecord
from workers.chaos.run import Plan, missing_from_feed, wait_until_final

PATIENCE_S = 10.0


class Acting(FakeClock):
    """A clock at which things happen: `acts` by the second, counted from the beginning."""

    def __init__(self, acts: dict[int, Callable[[], Any]]) -> None:
        super().__init__(0.0)
        self.acts = acts

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for second in [second for second in self.acts if second <= self.now]:
            self.acts.pop(second)()


def record_of(count: int) -> RunRecord:
    record = RunRecord(clock=FakeClock().monotonic)
    record.submitted([accepted(id_) for id_ in range(1, count + 1)], [TEXT] * count, sent_at=0.0)
    return record


def waited_s(record: RunRecord, acts: dict[int, Callable[[], Any]], sending_s: float = 0.0) -> int:
    clock = Acting(acts)
    wait_until_final(record, sending=lambda: clock.now < sending_s, clock=clock, patience_s=PATIENCE_S)
    return round(clock.now)


def test_it_ends_when_all_is_final() -> None:
    record = record_of(1)
    assert waited_s(record, {4: lambda: record.read([item(1)])}) == 4


def test_it_gives_up_when_nothing_moves() -> None:
    assert waited_s(record_of(1), {}) == PATIENCE_S


def test_a_backlog_may_take_long_as_long_as_it_shrinks() -> None:
    record = record_of(4)
    acts = {9 * id_: lambda id_=id_: record.read([item(id_)]) for id_ in range(1, 5)}
    assert waited_s(record, acts) == 36


def test_what_becomes_final_counts_also_while_more_is_sent_than_that() -> None:
    record = record_of(1)

    def both() -> None:
        record.submitted([accepted(2), accepted(3)], [TEXT, TEXT], sent_at=0.0)
        record.read([item(1)])

    assert waited_s(record, {9: both}) == 9 + PATIENCE_S


def test_it_does_not_end_while_there_is_more_to_send() -> None:
    record = record_of(0)
    assert waited_s(record, {}, sending_s=5) == 5


class Feed:
    """A client that follows a feed of these cursors, whose documents have the same ids."""

    def __init__(self, *cursors: int) -> None:
        self.cursors = cursors

    def follow(self) -> Iterator[list[dict[str, Any]]]:
        yield [item(cursor) for cursor in self.cursors]
        while True:
            yield []


def test_what_was_passed_over_is_missing_and_what_came_later_is_not() -> None:
    record = record_of(4)
    record.read([item(1), item(3)])
    assert missing_from_feed(Feed(1, 3), record) == 0  # type: ignore[arg-type]
    assert missing_from_feed(Feed(1, 2, 3), record) == 1  # type: ignore[arg-type]
    assert missing_from_feed(Feed(1, 3, 4), record) == 0  # type: ignore[arg-type]


def test_a_post_waits_from_before_the_gateway_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_at: list[float] = []

    class Client:
        def __init__(self, url: str, *, patience_s: float) -> None: ...

        def submit_items(self, lines: Sequence[bytes]) -> list[dict[str, Any]]:
            asked_at.append(time.monotonic())
            return [accepted(1)]

    monkeypatch.setattr(run_module, "GatewayClient", Client)
    record = RunRecord(clock=time.monotonic)
    plan = Plan(lines=[b'{"text": "Anna in Oslo"}'], faults=[], seconds=1.0, seed=0)
    run_module._produce("", plan, record, threading.Event())
    assert record.accepted[1] <= asked_at[0]
