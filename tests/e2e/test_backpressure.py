"""A producer at ten times the capacity, for some seconds: bounded queues, 429 in time, nothing lost."""

from __future__ import annotations

import pytest

from tests.benchmarks.backpressure import measure


@pytest.mark.timeout(280)
def test_too_many_posts_are_refused_and_none_that_was_accepted_is_lost() -> None:
    found = measure(capacity=20, seconds=8.0, high_water=100)
    assert found["accepted"] == found["final"] > 0
    assert found["requests"]["429"] > 0
    assert set(found["requests"]) <= {"200", "202", "429"}
    assert found["refused_without_retry_after"] == 0
    assert found["looks"] > 3
    assert found["deepest_queue"] <= found["queue_cap"]
