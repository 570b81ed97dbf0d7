"""`linkner dead` about what is not there."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from linkner.errors import InputError
from workers.cli import app


@pytest.mark.parametrize("command", ["drop", "replay", "show"])
def test_what_is_not_there_is_an_error(
    command: str, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)
    result = CliRunner().invoke(app, ["dead", command, "question:99"])
    assert isinstance(result.exception, InputError)
    assert "question:99" in str(result.exception)
    assert result.stdout == ""
