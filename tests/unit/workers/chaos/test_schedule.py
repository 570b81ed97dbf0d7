"""Faults come from a seed, each kind as often as it should, within the run."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workers.chaos.schedule import KILL, RARE, schedule


@given(st.integers(), st.floats(10, 10_000), st.floats(1, 60))
def test_every_kind_comes_as_often_as_it_should_and_in_time(
    seed: int, seconds: float, kill_every_s: float
) -> None:
    planned = schedule(seed=seed, seconds=seconds, kill_every_s=kill_every_s)
    kinds = Counter(fault.kind for fault in planned)
    assert kinds.pop(KILL, 0) == int(seconds / kill_every_s)
    assert kinds == RARE
    assert [fault.at_s for fault in planned] == sorted(fault.at_s for fault in planned)
    assert all(0 <= fault.at_s <= seconds for fault in planned)


def test_equal_seeds_give_equal_faults() -> None:
    first, again, other = (schedule(seed=seed, seconds=60, kill_every_s=5) for seed in (1, 1, 2))
    assert first == again != other
