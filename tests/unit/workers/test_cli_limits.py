"""`linkner limits` where no LLM is named."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from linkner.errors import ConfigurationError
from workers.cli import app


@pytest.mark.parametrize("arguments", [("show",), ("set", "in_flight=3")])
def test_it_says_what_to_set(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINKNER_LLM_BASE_URL", "LINKNER_LLM_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    error = CliRunner().invoke(app, ["limits", *arguments]).exception
    assert isinstance(error, ConfigurationError)
    assert "set them here" in str(error)
    assert "LINKNER_LLM_BASE_URL" in str(error)
