"""Files of JSON lines: blank lines are none, but count, and a file that cannot be read is one clear error."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from linkner.errors import InputError
from linkner.json_lines import read_lines, read_numbered_lines

CONTENT = b"1\n \n\n2\n3"


@pytest.fixture(params=["posts.jsonl", "posts.jsonl.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path: Path = tmp_path / request.param
    path.write_bytes(gzip.compress(CONTENT) if path.suffix == ".gz" else CONTENT)
    return path


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, [b"1\n", b"2\n", b"3"]), (2, [b"1\n", b"2\n"]), (9, [b"1\n", b"2\n", b"3"])],
)
def test_lines_are_read_up_to_the_limit(path: Path, limit: int | None, expected: list[bytes]) -> None:
    assert list(read_lines(path, limit=limit)) == expected


def test_a_number_is_that_of_the_line_in_the_file(path: Path) -> None:
    assert list(read_numbered_lines(path)) == [(1, b"1\n"), (4, b"2\n"), (5, b"3")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no gzip", "Not a gzipped file"), (gzip.compress(CONTENT)[:-10], "Compressed file ended")],
    ids=["none", "truncated"],
)
def test_no_whole_gzip_is_one_clear_error(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(read_lines(path))
    assert str(caught.value).startswith(f"the file {path} cannot be read; got {problem}")


def test_no_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(read_lines(tmp_path / "none"))
    assert str(caught.value) == f"the file {tmp_path / 'none'} cannot be read; got No such file or directory"
