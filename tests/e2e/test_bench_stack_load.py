"""The benchmark of a stack's load, in short: every role and both servers are found and measured."""

from __future__ import annotations

import pytest

from tests.benchmarks.stack_load import measure
from tests.support.posts import REPLIES, lines


@pytest.mark.timeout(180)
def test_every_role_of_a_stack_is_measured() -> None:
    found = measure(lines(40), recorded=REPLIES)
    assert found.outcome.final == 40
    workers = {"recogniser-1", "llm-caller-1", "aggregator"}
    services = {"gateway", "relay", "recognition", "replayed-llm"}
    assert set(found.cpu_s) == workers | services | {"postgres", "redis-server"}
    assert set(found.cpu_s) == set(found.pss_mib) == set(found.rss_mib)
    assert all(used > 1 for used in found.pss_mib.values()), "a process was found for each"
    assert found.cpu_s["recogniser-1"] > 0
