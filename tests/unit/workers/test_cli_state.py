"""How commands find the stack that `linkner up` has started."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkner.errors import ConfigurationError
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
