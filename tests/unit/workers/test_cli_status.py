"""What `linkner status` shows a person."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from workers.api_client import GatewayClient
from workers.cli import app
from workers.cli.documents import _status_table

STATUS: dict[str, Any] = {
    "findings": [],
    "documents": {"complete": 7},
    "questions": {},
    "dead_reasons": {},
    "dead_documents": {},
    "decided_by": {},
    "queues": {"recognise": 3},
    "broker": "ok",
    "llm": [],
    "llm_limits": "unused",
    "parked": 0,
    "replayed": 0,
    "cached": 0,
    "oldest_unfinished_s": 0.0,
}
WELL = {
    "endpoint": "http://10.0.0.7:8000/v1",
    "model": "llama-3",
    "breaker": "closed",
    "open_s": 0.0,
    "hold_s": 0.0,
    "in_flight": 12,
    "spent_hour": 0.5,
    "spent_day": 1.25,
    "money_is_spent": False,
}


def rows(**changes: Any) -> list[list[str]]:
    """The cells of each row."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(_status_table(STATUS | changes))
    lines = capture.get().splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]


def shown(**changes: Any) -> list[list[str]]:
    """Those about messages and the LLM."""
    return [row for row in rows(**changes) if row[0] == "messages waiting" or row[0].startswith("LLM")]


def test_messages_wait_in_queues() -> None:
    assert shown() == [["messages waiting", "recognise", "3"]]


def test_a_broker_that_does_not_answer_is_no_broker_without_messages() -> None:
    away = "the message broker did not answer"
    assert shown(queues={}, broker=away) == [["messages waiting", away, "?"]]
    assert shown(queues={}, broker="unused") == []


def test_an_llm_that_answers_is_told_by_its_calls_and_money() -> None:
    name = "llama-3 at http://10.0.0.7:8000/v1"
    assert shown(queues={}, llm=[WELL], llm_limits="ok") == [
        ["LLM calls in flight", name, "12"],
        ["LLM money today", name, "1.2500"],
    ]


def test_an_llm_that_is_not_asked_says_why() -> None:
    name = "llama-3 at http://10.0.0.7:8000/v1"
    down = WELL | {"breaker": "open", "open_s": 12.4}
    probed = WELL | {"breaker": "probing", "money_is_spent": True}
    found = shown(queues={}, llm=[down, probed], llm_limits="ok")
    assert found[0] == ["LLM down", f"{name}: not asked for 12 s more", ""]
    assert found[3][0] == "LLM down"
    assert found[4] == ["LLM out of money", name, ""]


def test_limits_that_cannot_be_looked_at_are_no_llm_at_rest() -> None:
    away = "the limiter's state in Redis cannot be reached"
    assert shown(queues={}, llm_limits=away) == [["LLM", away, "?"]]


def looked(monkeypatch: pytest.MonkeyPatch, *options: str, findings: list[dict[str, str]]) -> Result:
    """What `linkner status` says of a gateway with these findings."""
    monkeypatch.setattr(GatewayClient, "status", lambda _: STATUS | {"findings": findings})
    monkeypatch.setattr(GatewayClient, "findings", lambda _: findings)
    return CliRunner().invoke(app, ["status", "--url", "http://127.0.0.1:1", *options])


STANDSTILL = {"kind": "relay", "problem": "documents have been due for 42 s", "hint": "is it running?"}


def test_what_is_wrong_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = looked(monkeypatch, findings=[STANDSTILL])
    first, second, *_ = shown.output.splitlines()
    assert (first, second.rstrip()) == ("relay: documents have been due for 42 s", "  is it running?")
    assert shown.exit_code == 0


def test_a_monitor_learns_from_the_exit_code_whether_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    well = looked(monkeypatch, "--check", findings=[])
    assert [line for line in well.output.splitlines() if line] == [
        "nothing is wrong that can be seen from the gateway"
    ]
    assert well.exit_code == 0
    assert looked(monkeypatch, "--check", "--json", findings=[STANDSTILL]).exit_code == 1


def test_an_older_gateway_that_tells_no_findings_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        GatewayClient, "status", lambda _: {k: v for k, v in STATUS.items() if k != "findings"}
    )
    shown = CliRunner().invoke(app, ["status", "--url", "http://127.0.0.1:1"])
    assert shown.exit_code == 0
    assert shown.output.startswith("this gateway is of a version")
