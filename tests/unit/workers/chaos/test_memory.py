"""What a run says of its memory."""

from __future__ import annotations

import os

from workers.chaos.memory import MemoryWatch
from workers.stack.memory import pss_mib


def test_the_highest_of_all_and_of_each_and_whether_it_grew() -> None:
    seen = [{"relay": 10.0 * number, "gateway": 50.0} for number in range(1, 9)]
    assert MemoryWatch(dict, seen=seen).summary() == {
        "peak": 130,
        "second_quarter": 85,
        "last_quarter": 125,
        "peak_by_role": {"gateway": 50, "relay": 80},
    }


def test_a_run_that_ended_before_the_first_look() -> None:
    assert MemoryWatch(dict).summary()["peak"] == 0


def test_processes_have_memory_and_those_that_ended_none() -> None:
    used = pss_mib({"this": [os.getpid()], "ended": [2**22 + 1]})
    assert used["this"] > 5
    assert used["ended"] == 0
