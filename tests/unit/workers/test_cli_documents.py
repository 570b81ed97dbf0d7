"""What `linkner submit` and `linkner results` refuse, before any gateway is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from linkner.errors import ConfigurationError, InputError
from workers.cli import app


def failed(*arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, list(arguments)).exception


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert str(failed("submit", str(tmp_path))) == f"the file {tmp_path} cannot be read; got Is a directory"


@pytest.mark.parametrize("url", ["foo", "localhost:8080", "http://", "ftp://host", "http://[::1"])
def test_a_url_that_cannot_be_used_is_said_at_once(tmp_path: Path, url: str) -> None:
    (tmp_path / "posts.jsonl").write_bytes(b"{}\n")
    error = failed("submit", str(tmp_path / "posts.jsonl"), "--url", url)
    assert isinstance(error, ConfigurationError)
    assert "URL cannot be used" in str(error)


@pytest.mark.parametrize("option", ["--source", "--id"])
def test_source_and_id_go_together(option: str) -> None:
    error = failed("results", option, "x", "--url", "http://127.0.0.1:1")
    assert isinstance(error, InputError)
    assert "--source and --id go together" in str(error)
