"""The benchmark of hostile requests, in short: a real gateway answers none of them with a 5xx."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest

from tests.benchmarks.hostile_requests import NO_ANSWER, attack, gateway
from tests.support.hostile import request


@pytest.mark.timeout(180)
def test_a_gateway_answers_hostile_requests_and_goes_on() -> None:
    with gateway() as target:
        found = attack(target, requests=1_000, seed=3)
    assert (found["requests"], found["server_errors"], found["restarts"]) == (1_000, 0, 0)
    assert found["timed_out"] == 0
    statuses = cast(dict[str, Any], found["statuses"])
    assert statuses["202"] > 50, "some are as they should be"
    assert sum(count for status, count in statuses.items() if status in {"400", "413", "415"}) > 100
    assert statuses[NO_ANSWER] < 500


def test_requests_are_the_same_for_a_seed() -> None:
    assert [request(Random(5)) for _ in range(3)] == [request(Random(5)) for _ in range(3)]
