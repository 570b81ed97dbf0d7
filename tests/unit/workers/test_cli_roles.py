"""What a role is started with, and what it refuses."""

from __future__ import annotations

import logging

import pytest
from typer.testing import CliRunner

from linkner.errors import InputError
from workers.cli import app


@pytest.mark.parametrize("role", [("gateway",), ("relay",), ("batcher",), ("worker", "classify")])
def test_an_unknown_log_level_is_refused_with_those_that_there_are(role: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*role, "--log-level", "foo"])
    assert shown.exit_code == 2
    assert "'debug'" in shown.output


def test_a_log_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*, level: str, format: str) -> None:
        raise InputError(level)

    monkeypatch.setattr(logging, "basicConfig", end)
    for name in ("debug", "WARNING"):
        assert str(CliRunner().invoke(app, ["relay", "--log-level", name]).exception) == name.upper()
