"""What `linkner submit` and `linkner results` refuse, before any gateway is asked."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linkner.errors import ConfigurationError, InputError
from workers.cli import app
from workers.demo.carry import read_lines

WHOLE = gzip.compress(b'{"id": "1"}\n' * 1000)


def failed(*arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, list(arguments)).exception


def test_posts_are_read_gzipped_or_not_and_blank_lines_are_none(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_bytes(b"1\n\n2\n")
    (tmp_path / "posts.jsonl.gz").write_bytes(gzip.compress(b"1\n \n2\n3\n"))
    assert [line.strip() for line in read_lines(tmp_path / "posts.jsonl")] == [b"1", b"2"]
    assert [line.strip() for line in read_lines(tmp_path / "posts.jsonl.gz", limit=2)] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no gzip", "Not a gzipped file"), (WHOLE[:-20], "Compressed file ended")],
    ids=["none", "truncated"],
)
def test_a_file_that_is_no_whole_gzip_is_one_clear_error(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(content)
    error = failed("submit", str(path))
    assert isinstance(error, InputError)
    assert str(error).startswith(f"the file {path} cannot be read; got {problem}")


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
