"""`linkner settings`: every variable is described, and no secret is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from broker.settings import Settings
from linkner.errors import ConfigurationError
from workers.cli.settings import register


def told(*arguments: str) -> str:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def settings(*arguments: str) -> dict[str, dict[str, Any]]:
    return {one["variable"]: one for one in json.loads(told("--json", *arguments))}


def test_every_setting_is_there_and_says_what_it_is_for() -> None:
    found = settings()

    assert len(found) == len(Settings.model_fields)
    assert [variable for variable, one in found.items() if not one["description"]] == []
    assert {"OPENAI_API_KEY", "LINKNER_LLM_SLOTS", "LINKNER_HIGH_WATER"} <= found.keys()
    assert (found["LINKNER_LLM_SLOTS"]["default"], found["LINKNER_LLM_SLOTS"]["here"]) == (32, None)


def test_what_is_set_here_can_be_had_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in settings("--set"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("LINKNER_LLM_SLOTS", "7")

    assert {variable: one["here"] for variable, one in settings("--set").items()} == {"LINKNER_LLM_SLOTS": 7}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPENAI_API_KEY", "sk-hush"),
        ("LINKNER_API_KEY", "lnk_hush"),
        ("LINKNER_POSTGRES_URL", "postgresql://me:hush@db/linkner"),
        ("LINKNER_REDIS_URL", "redis://:hush@cache/0"),
        ("LINKNER_BROKER_URL", "amqp://me:hush@queue//"),
        ("LINKNER_LLM_BASE_URL", "https://me:hush@llm.example/v1"),
        ("LINKNER_RECOGNISER_URL", "http://me:hush@model.example:8000"),
    ],
)
def test_secrets_are_not_shown(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)

    assert settings("--set")[variable]["here"]
    assert "hush" not in told("--json") + told()


def test_a_value_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKNER_LLM_SLOTS", "none")

    with pytest.raises(ConfigurationError, match="LINKNER_LLM_SLOTS"):
        told()
