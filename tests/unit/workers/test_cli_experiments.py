"""`linkner experiments` on small data written for these tests, a tiny model, and recorded replies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from linkner.conll import Sentence
from linkner.errors import ConfigurationError, InputError
from linkner.spans import LabelledSpan, Span
from tests.unit.trainer.tiny import sentences, trained_model
from workers.cli.model import register

TABLES = ("table3", "table4", "table6", "table7")
FIGURES = ("figure4", "figure5", "figure6", "figure7")


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


@pytest.fixture(scope="module")
def model(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_model(tiny_encoder, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of WNUT'17; half of its entities are names that the model never saw."""
    folder = tmp_path_factory.mktemp("data") / "wnut17"
    folder.mkdir()
    unseen = Sentence(("Oslo", "seems", "green", "today"), (LabelledSpan(Span(0, 1), "location"),))
    for name, count in (("train", 8), ("dev", 12), ("test", 6)):
        every = [*sentences(count), *[unseen] * count]
        (folder / f"{name}.conll").write_text("\n".join(map(_columns, every)))
        lines = [{"sentence": index, **_reply(one)} for index, one in enumerate(every)]
        (folder / f"replies.{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def _columns(sentence: Sentence) -> str:
    tags = {entity.span.start: f"B-{entity.label}" for entity in sentence.entities}
    return "".join(f"{word}\t{tags.get(place, 'O')}\n" for place, word in enumerate(sentence.words))


def _reply(sentence: Sentence) -> dict:
    """An LLM that knows the entities."""
    return {
        "entities": [
            {
                "start": one.span.start,
                "end": one.span.end,
                "text": sentence.surface(one.span),
                "type": one.label,
            }
            for one in sentence.entities
        ]
    }


def experiment(app: typer.Typer, name: str, *options: object) -> Result:
    arguments = ["experiments", name, "--device", "cpu", *map(str, options)]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def found(result: Result) -> dict:
    assert result.exception is None, result.exception
    return json.loads(result.stdout.splitlines()[-1])


def replayed(name: str, data: Path, model: Path) -> list[object]:
    """The options that run an experiment on the test part, or on the dev part where it finds a threshold."""
    part = "dev" if name in ("table6", "figure5") else "test"
    replies = [] if name == "figure4" else ["--replies", data / f"replies.{part}.jsonl"]
    return ["--data", data, "--model", model, *replies]


@pytest.mark.parametrize("name", [*TABLES, *FIGURES])
def test_every_experiment_writes_its_files_and_prints_one_object(app, data, model, tmp_path, name) -> None:
    value = found(experiment(app, name, *replayed(name, data, model), "--output", tmp_path, "--json"))

    shown = "png" if name in FIGURES else "md"
    numbers = json.loads((tmp_path / f"{name}.json").read_text())
    assert value["files"] == [str(tmp_path / f"{name}.{shown}"), str(tmp_path / f"{name}.json")]
    assert numbers == {key: one for key, one in value.items() if key != "files"}
    assert value["experiment"] == name
    assert value["models"][0]["model"].startswith("tiny-")
    written = (tmp_path / f"{name}.{shown}").read_bytes()
    if name in FIGURES:
        assert written.startswith(b"\x89PNG\r\n")
        assert value["panels"][0]["series"]
    else:
        assert value["title"] in written.decode()
        assert value["rows"]
    if name == "figure4":
        assert (value["llm"], value["replayed"], value["protocols"]) == (None, False, [])
    else:
        assert (value["llm"], value["replayed"]) == ("replay", True)
        assert value["protocols"] == ["paper", "deployed"]


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_printed_with_their_notes_for_people(app, data, model, name) -> None:
    result = experiment(app, name, *replayed(name, data, model), "--protocol", "deployed")

    assert result.exception is None
    for part in ("deployed", "no LLM was asked", "WNUT'17", "evidential"):
        assert part in " ".join(result.stdout.split())
    assert "written" not in result.stdout


def test_figures_are_written_to_the_current_folder(app, data, model, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = experiment(app, "figure4", *replayed("figure4", data, model))

    assert result.stdout.splitlines() == ["written: figure4.png", "written: figure4.json"]
    assert (tmp_path / "figure4.png").is_file()


def test_the_thresholds_of_table6_are_taken_on(app, data, model, tmp_path) -> None:
    experiment(app, "table6", *replayed("table6", data, model), "--output", tmp_path)
    thresholds = json.loads((tmp_path / "table6.json").read_text())["rows"]

    value = found(
        experiment(
            app, "table3", *replayed("table3", data, model), "--threshold", tmp_path / "table6.json", "--json"
        )
    )

    assert [row["threshold"] for row in value["rows"]] == [row["threshold"] for row in thresholds]
    assert value["data"][0]["title"] == "WNUT'17 test"
    notes = "\n".join(value["notes"])
    assert "on WNUT'17 dev (table6.json)" in notes
    assert "flatters" not in notes


def test_several_uncertainties_and_files_are_rows_of_one_table(app, data, model) -> None:
    uncertainties = [part for name in ("evidential", "entropy") for part in ("--uncertainty", name)]
    both = ["--data", data / "test.conll", "--data", data / "dev.conll"]
    replies = ["--replies", data / "replies.test.jsonl", "--replies", data / "replies.dev.jsonl"]

    linking = ["--protocol", "paper", "--threshold", 0]
    value = found(
        experiment(app, "table3", *both, *replies, *uncertainties, *linking, "--model", model, "--json")
    )

    assert [(row["data"], row["uncertainty"]) for row in value["rows"]] == [
        ("WNUT'17 test", "evidential"),
        ("WNUT'17 test", "entropy"),
        ("WNUT'17 dev", "evidential"),
        ("WNUT'17 dev", "entropy"),
    ]
    assert all(row["linked_f1"] > row["local_f1"] for row in value["rows"])


def of_another_seed(model: Path, folder: Path) -> Path:
    """A checkpoint of the same name in a file that differs, as that of another seed does."""
    shutil.copytree(model, folder)
    weights = folder / "model.safetensors"
    save_file(load_file(weights), weights, metadata={"seed": "2"})
    return folder


def test_seeds_of_one_recipe_are_one_row(app, data, model, tmp_path) -> None:
    other = of_another_seed(model, tmp_path / "other")
    options = ["--data", data, "--model", model, "--model", other, "--output", tmp_path]

    value = found(experiment(app, "seeds", *options, "--json"))

    (row,) = value["rows"]
    assert (row["model"], row["runs"], value["llm"]) == ("tiny", 2, None)
    assert (row["f1"]["deviation"], row["f1"]["runs"]) == (0.0, 2)
    assert row["f1"]["mean"] > 0
    assert "±" in (tmp_path / "seeds.md").read_text()


@pytest.mark.parametrize("repeated", ["model", "data"])
def test_what_is_named_twice_is_no_second_run(app, data, model, tmp_path, repeated) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(model, copied)  # elsewhere, and still the same weights
    again = ["--model", copied] if repeated == "model" else ["--data", data]

    result = experiment(app, "seeds", "--data", data, "--model", model, *again)

    assert isinstance(result.exception, ConfigurationError)
    assert "named twice" in str(result.exception)


@pytest.mark.parametrize("option", ["--protocol=paper", "--epsilon=0.1", "--max-candidates=1"])
def test_the_frontier_takes_no_option_that_it_would_ignore(app, data, model, option) -> None:
    result = experiment(app, "frontier", *replayed("table6", data, model), option)

    assert result.exit_code == 2
    assert "No such option" in result.output


def test_the_frontier_says_what_it_did_and_no_more(app, data, model, tmp_path) -> None:
    dev = tmp_path / "wnut17" / "dev.conll"  # several times, so that there is enough to calibrate on
    dev.parent.mkdir()
    dev.write_text(((data / "dev.conll").read_text() + "\n") * 4)
    lines = [json.loads(line) for line in (data / "replies.dev.jsonl").read_text().splitlines()] * 4
    replies = tmp_path / "replies.jsonl"
    replies.write_text("\n".join(json.dumps({**one, "sentence": at}) for at, one in enumerate(lines)))

    options = ["--data", dev, "--replies", replies, "--model", model, "--output", tmp_path, "--json"]
    value = found(experiment(app, "frontier", *options))

    assert (value["protocols"], value["epsilon"], value["replayed"]) == ([], None, True)
    assert not any("Protocol" in note for note in value["notes"])
    assert "at most 8" in value["notes"][-1]


def test_data_sets_are_listed(app) -> None:
    text = CliRunner().invoke(app, ["experiments", "datasets"], env={"COLUMNS": "250"}).stdout

    for part in ("ontonotes5", "LDC2013T19", "WikiGold", "CC BY 4.0", "cell_line"):
        assert part in text


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "this experiment needs an LLM's answers"),
        (["--replies", "r.jsonl", "--llm", "http://127.0.0.1:1/v1"], "two LLMs are named"),
        (["--replies", "r.jsonl", "--replies", "s.jsonl"], "do not pair up"),
        (["--replies", "r.jsonl", "--threshold", "high"], "--threshold high cannot be used"),
        (["--replies", "r.jsonl", "--data-set", "wnut18"], "there is no data set 'wnut18'"),
        (["--llm", "http://127.0.0.1:1/v1", "--llm-model", "m", "--threshold", 0], "cannot be reached"),
    ],
)
def test_bad_options_are_one_clear_error(app, data, model, options, problem) -> None:
    result = experiment(app, "table7", "--data", data, "--model", model, *options)

    assert problem in str(result.exception)


def test_a_missing_file_says_where_to_obtain_it(app, model, tmp_path) -> None:
    folder = tmp_path / "jnlpba"
    folder.mkdir()

    result = experiment(app, "figure4", "--data", folder, "--model", model)

    assert isinstance(result.exception, InputError)
    assert "obtain it from the GENIA project" in str(result.exception)


def test_labels_that_the_model_lacks_are_named(app, model, tmp_path) -> None:
    path = tmp_path / "cells.conll"
    path.write_text("HeLa\tB-cell_line\n")

    result = experiment(app, "figure4", "--data", path, "--model", model)

    assert "got cell_line" in str(result.exception)


def refuse_to_recognise(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on whoever recognises fails otherwise than by an error of ours."""

    def recognised(*_: object, **__: object) -> None:
        raise AssertionError("it was worked on before all was known to be there")

    monkeypatch.setattr("trainer.evaluation.local.recognise", recognised)


@pytest.mark.parametrize("name", ["table3", "table4", "table7", "figure6", "figure7"])
def test_a_threshold_is_missed_before_any_work(app, data, model, tmp_path, monkeypatch, name) -> None:
    refuse_to_recognise(monkeypatch)
    own = tmp_path / "own.conll"
    own.write_text((data / "test.conll").read_text())  # of no data set that the paper knows

    options = ["--replies", data / "replies.test.jsonl"]
    result = experiment(app, name, "--data", own, "--model", model, *options)

    assert isinstance(result.exception, ConfigurationError)
    assert "the paper has no threshold for own.conll" in str(result.exception)


@pytest.mark.parametrize("threshold", ["nan", "inf", "-0.1"])
def test_a_threshold_is_a_number_from_zero_on(app, data, model, threshold) -> None:
    options = [*replayed("table3", data, model), f"--threshold={threshold}"]

    result = experiment(app, "table3", *options)

    assert isinstance(result.exception, ConfigurationError)
    assert "--threshold is out of range" in str(result.exception)


def test_few_shot_needs_a_file_to_draw_from_before_any_work(app, data, model, monkeypatch) -> None:
    refuse_to_recognise(monkeypatch)
    endpoint = [
        "--llm",
        "http://127.0.0.1:1/v1",
        "--llm-model",
        "m",
        "--threshold",
        "1",
        "--protocol",
        "paper",
    ]

    result = experiment(app, "table4", "--data", data, "--model", model, *endpoint)

    assert isinstance(result.exception, ConfigurationError)
    assert "expected --examples FILE.conll" in str(result.exception)


def test_few_shot_examples_are_of_no_sentence_that_is_evaluated(app, data, model, monkeypatch) -> None:
    refuse_to_recognise(monkeypatch)
    endpoint = ["--llm", "http://127.0.0.1:1/v1", "--threshold", "1", "--examples", data / "test.conll"]

    result = experiment(app, "table4", "--data", data, "--model", model, *endpoint)

    assert isinstance(result.exception, InputError)
    assert "are evaluated" in str(result.exception)


def test_a_folder_that_cannot_be_written_to_is_named(app, data, model, tmp_path) -> None:
    (tmp_path / "taken").write_text("")

    result = experiment(app, "figure4", *replayed("figure4", data, model), "--output", tmp_path / "taken")

    assert isinstance(result.exception, InputError)
    assert f"cannot write {tmp_path / 'taken'}" in str(result.exception)
