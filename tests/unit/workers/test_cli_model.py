from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from queue import Empty, Queue
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from linkner.errors import ConfigurationError
from linkner.recognition import checkpoint
from workers.cli.model import register
from workers.cli.model.extract import extract


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


@pytest.fixture(scope="module")
def folder(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checkpoint of an untrained model, which finds nothing."""
    path = tmp_path_factory.mktemp("checkpoint")
    config = checkpoint.ModelConfig(
        name="tiny", label_set="wnut17", labels=("person", "location"), encoder=tiny_encoder, hidden=8
    )
    checkpoint.save(path, checkpoint.trained_state(checkpoint.build(config)), config)
    return str(path)


def extracted(app: typer.Typer, folder: str, given: bytes | str) -> tuple[int, list[dict], str]:
    result = CliRunner().invoke(app, ["extract", "--model", folder, "--device", "cpu"], input=given)
    lines = [json.loads(line) for line in result.stdout.split("\n") if line]
    return result.exit_code, lines, result.stderr


def test_extract_reads_lines_and_objects_and_carries_ids(app, folder) -> None:
    given = 'Off to Rome\n\n{"id": 7, "text": "a\\nb \\u2028 c"}\n{"text": "x", "other": 1}\n'
    code, lines, errors = extracted(app, folder, given)
    assert (code, errors) == (0, "")
    assert [line["text"] for line in lines] == ["Off to Rome", "a\nb \u2028 c", "x"]
    assert [line.get("id") for line in lines] == [None, 7, None]
    assert all(line["model"].startswith("tiny-") and line["entities"] == [] for line in lines)


@pytest.mark.parametrize("line", ["plain", '{"text": "plain"}'])
def test_extract_passes_over_a_byte_order_mark(app, folder, line) -> None:
    code, lines, errors = extracted(app, folder, f"\ufeff{line}\nlast\n".encode())
    assert (code, errors) == (0, "")
    assert [one["text"] for one in lines] == ["plain", "last"]


def test_extract_keeps_a_lone_surrogate_as_its_escape(app, folder) -> None:
    code, lines, _ = extracted(app, folder, b'{"text": "broken \\ud83d emoji"}\n')
    assert (code, lines[0]["text"]) == (0, "broken \ud83d emoji")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": "cut off', "begins like a JSON object but is none"),
        (b'{"id": 1}', "a post needs a text"),
        (b'{"text": 5}', "a post needs a text"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"text": ' + b"[" * 100_000, "begins like a JSON object but is none"),
        (b'{"text": "x", "id": NaN}', "NaN is no number of JSON"),
        (b'{"text": "x", "more": [-Infinity]}', "-Infinity is no number of JSON"),
        (b'{"text": "x", "id": 1e999}', "1e999 is no number of JSON"),
    ],
)
def test_extract_reports_a_bad_line_and_goes_on(app, folder, line, problem) -> None:
    code, lines, errors = extracted(app, folder, b"first\n" + line + b"\nlast\n")
    assert code == 1
    assert [one["text"] for one in lines] == ["first", "last"]
    assert errors.startswith("line 2: ")
    assert problem in errors


def test_extract_numbers_lines_beyond_one_chunk(app, folder, monkeypatch) -> None:
    monkeypatch.setattr("workers.cli.model.extract._CHUNK", 2)
    code, lines, errors = extracted(app, folder, "a\nb\nc\n{\nd\n")
    assert (code, len(lines)) == (1, 4)
    assert errors.startswith("line 4: ")


def test_extract_answers_what_is_there_before_the_next_line_comes(folder, monkeypatch) -> None:
    reading, writing = os.pipe()
    answers: Queue[str] = Queue()
    waited: list[str] = []

    def post() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(b"first\n\n")
            with suppress(Empty):
                waited.append(answers.get(timeout=20))
            pipe.write(b"last")

    monkeypatch.setattr(typer, "echo", lambda line: answers.put(json.loads(line)["text"]))
    sender = threading.Thread(target=post)
    with os.fdopen(reading, "rb") as given:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=given))
        sender.start()
        extract(model=folder, device="cpu")
    sender.join()

    assert waited == ["first"]
    assert answers.get_nowait() == "last"


def test_entities_have_surfaces_and_plausible_spans_on_request(app) -> None:
    text = "😀 Spending the weekend in New York with Barack Obama"
    result = CliRunner().invoke(app, ["extract", "--plausible", "--device", "cpu"], input=text)
    line = json.loads(result.stdout)
    assert {"New York", "Barack Obama"} <= {one["surface"] for one in line["entities"]}
    assert line["plausible"]
    for one in (*line["entities"], *line["plausible"]):
        assert text[one["start"] : one["end"]] == one["surface"]


def test_train_needs_data(app, tmp_path) -> None:
    result = CliRunner().invoke(app, ["train", "--output", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)


def test_help_shows_examples_and_the_paper_s_values(app) -> None:
    text = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).stdout
    assert "linkner train --data" in text
    assert "Paper: 0.15" in text
