from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from linkner import conll
from linkner.errors import InputError
from workers.cli.typos import register

CONLL = "Anna\tB-person\nSmith\tI-person\nsleeps\tO\n\nin\tO\nRome\tB-location\nX\tB-person\n\n"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


def test_entities_are_edited_counted_and_written_with_their_tags(app, tmp_path) -> None:
    data = tmp_path / "test.conll"
    data.write_text(CONLL)
    made = []
    for seed in ("1", "1", "2"):
        output = tmp_path / "typos.conll"
        arguments = ["--data", str(data), "--output", str(output), "--seed", seed, "--json"]
        result = CliRunner().invoke(app, arguments)
        assert json.loads(result.stdout) == {
            "sentences": 2,
            "entities": 3,
            "edited": 2,
            "output": str(output),
        }
        made.append(output.read_text())
    assert made[0] == made[1] != made[2]
    before, after = conll.read(data), conll.read(output)
    assert [one.entities for one in after] == [one.entities for one in before]
    assert [len(one.words) for one in after] == [3, 3]
    assert after[0].words[2] == "sleeps"


def test_a_person_gets_one_line(app, tmp_path) -> None:
    data = tmp_path / "test.conll"
    data.write_text(CONLL)
    result = CliRunner().invoke(app, ["--data", str(data), "--output", str(tmp_path / "o.conll")])
    assert result.stdout.startswith("2 of 3 entities edited, in 2 sentences")


def test_a_file_without_sentences_is_refused(app, tmp_path) -> None:
    data = tmp_path / "empty.conll"
    data.write_text("\n")
    result = CliRunner().invoke(app, ["--data", str(data), "--output", str(tmp_path / "o.conll")])
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "o.conll").exists()


def test_its_own_input_is_not_overwritten(app, tmp_path) -> None:
    data = tmp_path / "test.conll"
    data.write_text(CONLL)
    result = CliRunner().invoke(app, ["--data", str(data), "--output", str(data)])
    assert isinstance(result.exception, InputError)
    assert "named twice" in str(result.exception)
    assert data.read_text() == CONLL


def test_an_output_that_cannot_be_written_is_an_error_of_ours(app, tmp_path) -> None:
    data = tmp_path / "test.conll"
    data.write_text(CONLL)
    result = CliRunner().invoke(app, ["--data", str(data), "--output", str(tmp_path / "no" / "o.conll")])
    assert isinstance(result.exception, InputError)
