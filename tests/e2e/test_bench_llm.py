"""The benchmark of the LLM callers, on a small scale: equal questions are one call, however delivered."""

from __future__ import annotations

import json

from tests.benchmarks.llm.parts import Plan, repeats, reservations
from tests.support.posts import lines


def test_equal_questions_are_one_call_also_where_every_message_comes_twice() -> None:
    posts = [str(json.loads(line)["text"]) for line in lines(20)] * 3
    found = repeats(Plan(posts=posts, repeated=60, callers=1, slots=8), lambda _: None)
    assert 0 < found["distinct_questions"] == found["calls"] < found["questions"]
    assert found["delivered_twice"]["calls"] == found["calls"]
    assert found["dead"] == found["delivered_twice"]["dead"] == 0
    assert found["cache_hit_rate"] > 0.5


def test_reservations_are_made_at_the_rate_that_is_asked_for() -> None:
    found = reservations(lambda _: None, seconds=0.2, per_second=100)
    assert found["reservations_per_s"] > 5
    assert 0 < found["reserve_p50_ms"] <= found["reserve_p99_ms"]
