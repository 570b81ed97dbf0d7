"""What several threads write together, and what each of them is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from linkner.errors import UnavailableError
from tests.support.waiting import wait_until
from workers.group_commit import GroupCommit


class HeldClock:
    """A sleep lasts until the test lets it go."""

    def __init__(self) -> None:
        self.asleep, self.go = threading.Event(), threading.Event()

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.asleep.set()
        assert self.go.wait(30)


class Writes:
    """What was written, commit by commit; negative numbers are defects, and 0 finds the store away."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[str]:
        if 0 in numbers:
            raise UnavailableError("the store is away")
        if min(numbers) < 0:
            raise ValueError("a defect")
        self.commits.append(sorted(numbers))
        return [f"wrote {number}" for number in numbers]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def _together(threads: ThreadPoolExecutor, writes: Writes, *numbers: int) -> list[object]:
    """The outcomes of what comes while the first one waits for others."""
    clock = HeldClock()
    group: GroupCommit[int, str] = GroupCommit(writes, clock=clock, gather_s=0.2)
    first = threads.submit(group, numbers[0])
    assert clock.asleep.wait(30)
    others = [threads.submit(group, number) for number in numbers[1:]]
    assert wait_until(lambda: len(group._waiting) == len(numbers), within_s=30)
    clock.go.set()
    return [future.exception(30) or future.result(30) for future in (first, *others)]


def test_what_comes_within_a_while_is_one_commit(threads: ThreadPoolExecutor) -> None:
    writes = Writes()
    assert _together(threads, writes, 1, 2, 3) == ["wrote 1", "wrote 2", "wrote 3"]
    assert writes.commits == [[1, 2, 3]]


def test_all_are_told_that_the_store_is_away(threads: ThreadPoolExecutor) -> None:
    outcomes = _together(threads, Writes(), 1, 0, 3)
    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 3


def test_one_defect_does_not_keep_the_others_from_being_written(threads: ThreadPoolExecutor) -> None:
    writes = Writes()
    first, second, third = _together(threads, writes, 1, -2, 3)
    assert (first, third) == ("wrote 1", "wrote 3")
    assert isinstance(second, ValueError)
    assert writes.commits == [[1], [3]]


def test_the_next_ones_do_not_wait_for_a_commit_that_is_under_way(threads: ThreadPoolExecutor) -> None:
    under_way, go = threading.Event(), threading.Event()

    def slow(numbers: Sequence[int]) -> Sequence[int]:
        if 1 in numbers:
            under_way.set()
            assert go.wait(30)
        return numbers

    clock = HeldClock()
    clock.go.set()
    group: GroupCommit[int, int] = GroupCommit(slow, clock=clock, gather_s=0.0)
    first = threads.submit(group, 1)
    assert under_way.wait(30)
    assert group(2) == 2
    go.set()
    assert first.result(30) == 1
