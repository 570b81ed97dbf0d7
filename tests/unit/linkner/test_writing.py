"""A file is written whole, in place of the one before, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linkner.errors import InputError
from linkner.writing import check_outputs, replacing


def write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text)


def test_it_takes_the_place_of_the_file_before_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for text in ("one", "two"):
        write(path, text)
        assert path.read_text() == text
    assert [*tmp_path.iterdir()] == [path]


def test_after_an_error_all_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(TypeError), replacing(path) as file:
        json.dump(["half of it", object()], file)
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_stays_a_link_and_rights_stay_what_they_are(tmp_path: Path) -> None:
    path, link = tmp_path / "out", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        (".", "Is a directory"),
        ("nowhere/out", "No such file"),
        ("file/out", "Not a directory"),
        ("/dev/full", "No space left"),
    ],
)
def test_what_cannot_be_written_is_one_error(tmp_path: Path, where: str, problem: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"cannot write .*{problem}"):
        write(tmp_path / where, "text")


def test_a_device_is_written_itself() -> None:
    write(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_no_output_is_another_file_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    check_outputs(tmp_path / "a", tmp_path / "b", inputs=[tmp_path / "c", None])
    for outputs, inputs in (("aa", ""), ("ab", "b"), (("a", "link"), ""), ("a", ["link"])):
        with pytest.raises(InputError, match="named twice"):
            check_outputs(*(tmp_path / one for one in outputs), inputs=[tmp_path / one for one in inputs])
