"""A short run of `linkner chaos` on each broker loses and doubles nothing; one that loses exits with 1."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from linkner.errors import ConfigurationError
from tests.fakes.clock import FakeClock
from workers.chaos import run as run_module
from workers.chaos.memory import MemoryWatch
from workers.chaos.record import RunRecord
from workers.cli import app

NOTHING_MORE = {
    "unsent": 0,
    "recovery_limit_s": 72.0,
    "recorded_replies": 1,
    "simulated_replies": 0,
    "memory_mib": MemoryWatch(dict).summary(),
}


def chaos(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["chaos", *arguments], catch_exceptions=False)
    print(result.output)
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


@pytest.mark.timeout(290)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_a_short_run_loses_and_doubles_nothing(broker: str, request: pytest.FixtureRequest) -> None:
    if broker == "rabbitmq":
        request.getfixturevalue("rabbitmq_url")  # skips where there is none
    code, summary = chaos(
        "--minutes", "0.4", "--every", "5", "--limit", "80", "--seed", "3", "--broker", broker
    )
    assert code == 0
    assert {name: summary[name] for name in ("accepted", "final", "lost", "doubled", "wrong")} == {
        "accepted": 80,
        "final": 80,
        "lost": 0,
        "doubled": 0,
        "wrong": 0,
    }
    assert summary["faults"] == sum(seen["faults"] for seen in summary["by_fault"].values()) >= 12
    assert 0 < summary["worst_recovery_s"] <= summary["recovery_limit_s"]
    assert 0 < summary["median_wait_s"] <= summary["p99_wait_s"] <= summary["worst_wait_s"]


@pytest.mark.parametrize(
    ("final", "unsent", "code", "lost"), [(True, 0, 0, 0), (False, 0, 1, 1), (True, 3, 1, 0)]
)
def test_the_exit_code_says_whether_anything_was_lost_or_never_sent(
    final: bool, unsent: int, code: int, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(plan: Any, **_: Any) -> tuple[RunRecord, dict[str, Any]]:
        record = RunRecord(clock=FakeClock().monotonic)
        record.submitted([{"status": "accepted", "id": 1}], ["x"], sent_at=0.0)
        document = {"id": 1, "revision": 1, "text": "x", "status": "final", "entities": []}
        record.read([{"cursor": 1, "document": document}] if final else [])
        return record, {**record.summary(missing_from_feed=0), **NOTHING_MORE, "unsent": unsent}

    monkeypatch.setattr(run_module, "run", run)
    exit_code, summary = chaos()
    assert (exit_code, summary["lost"]) == (code, lost)


@pytest.mark.parametrize("arguments", [("--broker", "kafka"), ("--faults", "earthquake")])
def test_what_cannot_be_done_is_one_clear_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="unknown"):
        chaos(*arguments)
