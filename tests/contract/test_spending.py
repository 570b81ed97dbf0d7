"""What calls cost, over both stores and by command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from linkner.pricing import Usage
from tests.contract.store.scene import ANNA, FOREVER_S, Ports, answer, ask, claimed, scored
from tests.support.one_question import record_one
from workers.cli import app
from workers.ports import Call

CALL = Call(
    endpoint="http://here/v1",
    model="llm-1",
    usage=Usage(300, 2, cached_prompt=256),
    cost=Decimal("0.000000123456789"),
    replayed=False,
)


def record(ports: Ports, *calls: Call) -> None:
    """One answered question, whose last call gave the answer."""
    _, (question_id,) = ask(ports, [scored(ANNA)])
    claim = claimed(ports, question_id)
    *others, last = calls
    for call in others:
        ports.store.record_call(claim, call)
    assert record_one(ports.store, claim, answer({ANNA: "person"}), call=last)


def test_nothing_was_spent(ports: Ports) -> None:
    assert ports.reader.costs("source", within_s=FOREVER_S) == []
    assert ports.reader.spent_today() == {}


def test_every_call_is_kept_exactly(ports: Ports) -> None:
    record(ports, replace(CALL, replayed=True), CALL)
    (row,) = ports.reader.costs("source", within_s=FOREVER_S)
    assert (row.name, row.calls, row.replayed, row.unpriced) == ("test", 2, 1, 0)
    assert (row.prompt_tokens, row.cached_prompt_tokens, row.completion_tokens) == (600, 512, 4)
    assert row.cost == 2 * CALL.cost
    assert ports.reader.spent_today() == {"test": 2 * CALL.cost}


def test_calls_of_unknown_price_are_counted_apart(ports: Ports) -> None:
    record(ports, replace(CALL, cost=None))
    (row,) = ports.reader.costs("source", within_s=FOREVER_S)
    assert (row.unpriced, row.cost) == (1, 0)
    assert ports.reader.spent_today() == {}


def test_costs_are_grouped(ports: Ports) -> None:
    record(ports, CALL, replace(CALL, model="llm-0"), replace(CALL, endpoint="http://there/v1"))
    found = {
        by: [(row.name, row.calls) for row in ports.reader.costs(by, within_s=FOREVER_S)]
        for by in ("source", "model", "endpoint")
    }
    assert found == {
        "source": [("test", 3)],
        "model": [("llm-0", 1), ("llm-1", 2)],
        "endpoint": [("http://here/v1", 2), ("http://there/v1", 1)],
    }


def test_only_the_last_seconds_count(ports: Ports) -> None:
    record(ports, CALL)
    assert ports.reader.costs("source", within_s=0.0) == []


def test_an_answer_that_is_dropped_records_no_call(ports: Ports) -> None:
    _, (question_id,) = ask(ports, [scored(ANNA)])
    lost = claimed(ports, question_id, lease_s=0.0)
    claimed(ports, question_id)
    assert not record_one(ports.store, lost, answer({ANNA: "person"}), call=CALL)
    assert ports.reader.spent_today() == {}


@pytest.mark.parametrize("ports", ["postgres"], indirect=True)
def test_the_command(ports: Ports, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)
    record(ports, CALL, replace(CALL, cost=None))
    result = CliRunner().invoke(app, ["cost", "--json"])
    found = json.loads(result.stdout)
    assert (found["by"], found["total"]) == ("day", str(CALL.cost))
    (row,) = found["rows"]
    assert (row["name"], row["calls"], row["unpriced"]) == (f"{datetime.now(UTC):%Y-%m-%d}", 2, 1)
    table = CliRunner().invoke(app, ["cost", "--by", "model"], env={"COLUMNS": "200"}).stdout
    assert "llm-1" in table
    assert "600" in table
