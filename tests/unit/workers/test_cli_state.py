"""How commands find the stack that `linkner up` has started."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from linkner.errors import ConfigurationError
from workers.cli import app
from workers.cli.state import announce, gateway_url, postgres_url, withdraw


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LINKNER_GATEWAY_URL", "LINKNER_POSTGRES_URL", "LINKNER_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))


def test_of_two_stacks_the_one_is_found_whose_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "home" / "linkner", tmp_path / "other"):
        folder.mkdir(parents=True)
        announce(folder, gateway_url=f"http://{folder.name}", postgres_url=f"postgresql:///{folder.name}")
    assert (gateway_url(""), postgres_url()) == ("http://linkner", "postgresql:///linkner")
    monkeypatch.setenv("LINKNER_FOLDER", str(tmp_path / "other"))
    assert (gateway_url(""), postgres_url()) == ("http://other", "postgresql:///other")
    withdraw(tmp_path / "other")
    with pytest.raises(ConfigurationError):
        gateway_url("")


def test_an_error_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="LINKNER_FOLDER"):
        gateway_url("")
    with pytest.raises(ConfigurationError, match="LINKNER_FOLDER"):
        postgres_url()


@pytest.mark.parametrize("named", [True, False])
def test_up_says_what_to_set_where_its_folder_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    folder = tmp_path / "my stack" if named else tmp_path / "home" / "linkner"
    folder.mkdir(parents=True)
    names = ("LINKNER_POSTGRES_URL", "LINKNER_BROKER_URL", "LINKNER_REDIS_URL")
    stack = SimpleNamespace(gateway_url="http://gateway", env=dict.fromkeys(names, "url"))
    monkeypatch.setattr("workers.stack.stack.running_stack", lambda *_, **__: nullcontext(stack))
    at_once = SimpleNamespace(SIGTERM=15, SIGINT=2, signal=lambda _, stop: stop())
    monkeypatch.setattr("workers.cli.up.signal", at_once)
    result = CliRunner().invoke(app, ["up", *(("--folder", str(folder)) if named else ())])
    assert result.exit_code == 0, result.exception
    assert (f"export LINKNER_FOLDER='{folder}'" in result.stderr) is named
