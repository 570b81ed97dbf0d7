"""Which processes a stack on this machine has, and where its LLM is."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.endpoints import chosen_endpoints
from broker.settings import Settings
from workers.stack.stack import Shape, addresses, roles

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
