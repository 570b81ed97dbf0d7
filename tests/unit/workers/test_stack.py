"""Which processes a stack on this machine has, and where its LLM is."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.endpoints import chosen_endpoints
from broker.settings import Settings
from workers.stack.stack import Shape, addresses, roles, told_by

ENDPOINTS = {"llm_endpoints": "/etc/endpoints.json"}
REPLAY = (Path("posts.jsonl"), Path("replies.jsonl"))


def names(settings: Settings, shape: Shape) -> set[str]:
    return {role.name for role in roles(addresses(settings, shape), shape)}


@pytest.mark.parametrize("llm", [{"llm_base_url": "http://127.0.0.1:1/v1"}, ENDPOINTS])
def test_there_are_callers_however_the_llm_is_named(llm: dict[str, str]) -> None:
    shape = Shape(llm_callers=2, batcher=True)

    assert names(Settings(**llm), shape) >= {"llm-caller-1", "llm-caller-2", "batcher"}


def test_there_are_none_without_an_llm() -> None:
    found = names(Settings(llm_base_url="", llm_endpoints=""), Shape(batcher=True))

    assert not any("llm" in name or name == "batcher" for name in found)


@pytest.mark.parametrize("llm", [{"llm_base_url": "https://paid.example/v1"}, ENDPOINTS])
def test_callers_ask_nobody_else_where_answers_are_replayed(
    llm: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in llm.items():
        monkeypatch.setenv(f"LINKNER_{name.upper()}", value)
    for name, value in addresses(Settings(), Shape(replay=REPLAY)).items():
        monkeypatch.setenv(name, value)

    (only,) = chosen_endpoints(Settings()).all

    assert only.base_url.startswith("http://127.0.0.1:")


def test_a_model_brings_its_label_set_and_its_calibration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"label_set": "btc"}')
    assert told_by(tmp_path, Settings()) == {"LINKNER_LABEL_SET": "btc"}
    (tmp_path / "calibration.json").touch()
    assert told_by(tmp_path, Settings()) == {"LINKNER_LABEL_SET": "btc", "LINKNER_CALIBRATION": str(tmp_path)}
    assert told_by(tmp_path, Settings(label_set="wnut17", calibration="another")) == {}


def test_a_budget_asks_for_the_calibration_of_a_model_that_has_none(tmp_path: Path) -> None:
    assert told_by(tmp_path, Settings(budget=30))["LINKNER_CALIBRATION"] == str(tmp_path)
