"""What the benchmark of the LLM callers reads off a ledger."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.llm.windows import Called, back_after_s, in_second, read, use


def evenly(per_second: int, seconds: int, *, begin: int = 0, tokens: int = 10) -> list[Called]:
    return [
        Called(at=begin + n / per_second, status=200, violation=False, tokens=tokens, question=f"{n}")
        for n in range(per_second * seconds)
    ]


def test_an_even_pace_uses_the_same_share_in_every_window() -> None:
    found = use(evenly(9, 120), requests=600, tokens=0, begin=0, end=120)
    assert (found.least, found.middle, found.most) == (0.9, 0.9, 0.9)
    assert (found.windows, found.binding) == (61, "requests")


def test_the_limit_of_which_most_is_used_binds() -> None:
    found = use(evenly(5, 60, tokens=100), requests=600, tokens=30_000, begin=0, end=60)
    assert (found.least, found.binding) == (1.0, "tokens")


def test_a_gap_shows_in_the_least_used_window_and_refused_calls_use_nothing() -> None:
    refused = [Called(at=65 + n / 10, status=429, violation=True, tokens=0, question="") for n in range(200)]
    calls = evenly(10, 60) + evenly(10, 30, begin=90) + refused
    found = use(sorted(calls, key=lambda call: call.at), requests=600, tokens=0, begin=0, end=120)
    assert found.most == 1.0
    assert found.least == pytest.approx(0.5, abs=0.02)


def test_without_a_window_there_is_no_use() -> None:
    with pytest.raises(ValueError, match="no window"):
        use(evenly(9, 30), requests=600, tokens=0, begin=0, end=30)


def test_the_time_until_the_pace_is_back() -> None:
    calls = evenly(10, 20) + evenly(10, 30, begin=30)
    assert back_after_s(calls, requests=600, at=20, end=60) == pytest.approx(19.5, abs=0.5)
    assert back_after_s(calls, requests=6_000, at=20, end=60) is None


def test_calls_of_one_second_are_counted_with_those_refused() -> None:
    refused = Called(at=3.5, status=429, violation=True, tokens=0, question="")
    assert in_second([*evenly(10, 5), refused], 3.0) == 11


def test_a_line_that_is_still_being_written_is_left_out() -> None:
    value = {"at": 1.0, "status": 200, "violation": False, "used": 9, "question": "q", "asked": 1}
    assert [call.tokens for call in read([json.dumps(value) + "\n", '{"at": 2'])] == [9]
