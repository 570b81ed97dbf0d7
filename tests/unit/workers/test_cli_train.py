"""What `linkner train` makes of its options, without training."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from linkner.errors import InputError
from linkner.recognition.checkpoint import ModelConfig
from trainer import resumption
from trainer.recipe import Recipe
from trainer.resumption import Standing
from workers.cli.model import register
from workers.cli.model.train import train as train_command

CONLL = "Anna\tB-person\nsleeps\tO\n\nRome\tB-location\n\n"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


def defaults_of(command: Callable[..., object]) -> dict[str, object]:
    return {name: one.default for name, one in inspect.signature(command).parameters.items()}


DERIVED = ("name", "learning_rate", "loss", "label_set", "bottleneck")
"""Options whose value, where it is not given, follows from other ones, or that only share a name."""


def test_the_defaults_of_train_are_those_of_the_model_and_the_recipe() -> None:
    given = defaults_of(train_command)
    for kind in (ModelConfig, Recipe):
        for field in fields(kind):
            if field.name in given and field.name not in DERIVED:
                assert given[field.name] == field.default, field.name


def trained(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[Result, dict[str, Any]]:
    """What `linkner train` hands to the launch with these arguments."""
    handed: dict[str, Any] = {}

    def launch(**values: object) -> float:
        handed.update(values)
        return 0.5

    monkeypatch.setattr("trainer.launch.train_on_ray", launch)
    return CliRunner().invoke(app, ["train", *arguments]), handed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with training data, raw posts and an LLM's replies about them."""
    for name in ("train", "dev", "more"):
        (tmp_path / f"{name}.conll").write_text(CONLL)
    (tmp_path / "posts.jsonl").write_text('{"id": "a", "text": "@DrakeReact met Bo"}\n')
    entities = [
        {"start": 1, "end": 6, "text": "Drake", "type": "person"},
        {"start": 16, "end": 18, "text": "Bo", "type": "person"},
    ]
    (tmp_path / "replies.jsonl").write_text(json.dumps({"id": "a", "entities": entities}) + "\n")
    return tmp_path


def test_train_reads_more_data_and_replies_and_says_what_it_leaves_out(app, monkeypatch, data) -> None:
    more = str(data / "more.conll")
    result, handed = trained(
        app,
        monkeypatch,
        *("--data", str(data), "--output", str(data / "out"), "--add-data", more, "--add-data", more),
        *("--add-replies", str(data / "posts.jsonl"), str(data / "replies.jsonl")),
    )
    assert result.exit_code == 0, result.exception
    assert len(handed["train"]) == 3 * 2 + 1
    assert handed["train"][-1].words == ("@", "DrakeReact", "met", "Bo")
    assert [handed["train"][-1].surface(one.span) for one in handed["train"][-1].entities] == ["Bo"]
    assert len(handed["dev"]) == 2
    assert "1 posts with 2 entities, of which 1 do not begin and end with a word" in result.stderr


def test_train_hands_on_the_baselines(app, monkeypatch, data) -> None:
    switches = ("--entity-replacement", "0.3", "--typos", "0.2", "--bottleneck", "0.001", "--fp32")
    _, handed = trained(app, monkeypatch, "--data", str(data), "--output", str(data / "out"), *switches)
    recipe = handed["recipe"]
    assert (recipe.entity_replacement, recipe.typos, recipe.bottleneck) == (0.3, 0.2, 0.001)
    assert handed["config"].bottleneck
    assert recipe.half is False


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("train.conll", "", "holds no sentence"),
        ("dev.conll", "\n\n", "holds no sentence"),
        ("train.conll", "Anna\tNOUN\n", "the last column is not a tag"),
        ("dev.conll", "Anna\tB-planet\n", "has labels that the model lacks"),
        ("replies.jsonl", '{"id": "a", "entities": []}\n{"id": "b", "entities": []}\n', "does not fit"),
        ("replies.jsonl", "", "holds no reply"),
    ],
)
def test_train_refuses_bad_files_by_name(app, monkeypatch, data, name, content, problem) -> None:
    (data / name).write_text(content)
    replies = ("--add-replies", str(data / "posts.jsonl"), str(data / "replies.jsonl"))
    result, handed = trained(app, monkeypatch, "--data", str(data), "--output", str(data / "out"), *replies)
    assert isinstance(result.exception, InputError)
    assert problem in str(result.exception)
    assert name in str(result.exception)
    assert not handed


@pytest.mark.parametrize("output", ["train.conll", "train.conll/model"])
def test_an_output_that_can_be_no_folder_is_refused(app, monkeypatch, data, output) -> None:
    result, handed = trained(app, monkeypatch, "--data", str(data), "--output", str(data / output))
    assert isinstance(result.exception, InputError)
    assert f"cannot write {data / output}" in str(result.exception)
    assert not handed


def test_only_a_run_that_was_broken_off_is_gone_on_with(app, monkeypatch, data) -> None:
    arguments = ("--data", str(data), "--output", str(data / "out"), "--resume")
    result, handed = trained(app, monkeypatch, *arguments)
    assert isinstance(result.exception, InputError)
    assert "no run was broken off in" in str(result.exception)
    assert not handed
    assert not (data / "out").exists()
    resumption.save(data / "out", Standing(epoch=1, step=1, best=0.5, since=0), {}, run="r")
    result, handed = trained(app, monkeypatch, *arguments)
    assert result.exit_code == 0, result.exception
    assert handed["resume"] is True


def test_every_option_of_train_has_help_and_the_baselines_a_panel(app) -> None:
    text = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).stdout
    assert "Baselines of the paper" in text
    parameters = typer.main.get_command(app).commands["train"].params
    assert [one.name for one in parameters if not one.help] == []


def test_train_says_how_many_entities_are_too_long_to_be_learned(app, monkeypatch, tmp_path) -> None:
    long = "Bank\tB-person\n" + "of\tI-person\n" * 2 + "\n"
    (tmp_path / "train.conll").write_text(CONLL + long)
    (tmp_path / "dev.conll").write_text(CONLL)
    options = ["--data", str(tmp_path), "--output", str(tmp_path / "model"), "--max-span-length"]

    result, _ = trained(app, monkeypatch, *options, "2")
    fits, _ = trained(app, monkeypatch, *options, "3")

    assert result.stderr.splitlines() == [
        "train: 1 of 3 entities are longer than 2 words and cannot be learned (--max-span-length)"
    ]
    assert fits.stderr == ""
