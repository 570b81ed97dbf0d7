from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from linkner import calibration, conll
from linkner.errors import CheckpointError, ConfigurationError, InputError
from linkner.recognition import checkpoint
from linkner.recognition.recogniser import Recogniser
from tests.unit.trainer.tiny import recipe, sentences, tiny_config, trained_model
from trainer.averaging import average
from trainer.evaluation.local import scored
from trainer.training import train_model
from workers.cli.model import register

DEV = sentences(15)


@pytest.fixture(scope="module")
def runs(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs from one checkpoint that differ in their seed."""
    folder = tmp_path_factory.mktemp("runs")
    first = trained_model(tiny_encoder, folder / "first")
    for seed in (2, 3):
        train_model(
            config=tiny_config(tiny_encoder),
            recipe=recipe(epochs=1, seed=seed),
            train=sentences(60),
            dev=DEV,
            output=folder / str(seed),
            report=lambda _: None,
            start=first,
        )
    return folder / "2", folder / "3"


def test_the_mean_of_the_weights_is_written_and_balanced_on_dev(runs, tmp_path) -> None:
    found = average(runs, dev=DEV, output=tmp_path, name="mean")
    states = [checkpoint.read_weights(folder) for folder in (*runs, tmp_path)]
    for name, mean in states[2].items():
        wanted = (states[0][name].float() + states[1][name].float()) / 2
        rows = slice(1, None) if name == "head.classify.bias" else slice(None)  # its first is OUTSIDE's
        assert torch.allclose(mean.float()[rows], wanted[rows], atol=1e-3), name
    assert any((states[0][name] != states[1][name]).any() for name in states[0])
    assert Recogniser.from_pretrained(tmp_path).name.startswith("mean-")
    assert dev_f1(tmp_path) == pytest.approx(found.mean, abs=0.1)  # half precision may turn a close call
    assert len(found.each) == 2


def dev_f1(folder: Path) -> float:
    recogniser = Recogniser.from_pretrained(folder, device="cpu", half=False)
    return scored(DEV, recogniser.recognise_words([one.words for one in DEV])).micro.f1


def test_outside_is_lowered_where_the_models_find_too_little(runs, tiny_encoder, tmp_path) -> None:
    for raised in range(1, 30):
        for folder in runs:
            state = checkpoint.read_weights(folder)
            state["head.classify.bias"][0] += raised
            checkpoint.save(tmp_path / folder.name, state, tiny_config(tiny_encoder))
        shy = [tmp_path / folder.name for folder in runs]
        if max(dev_f1(folder) for folder in shy) < 0.5:
            break
    assert max(dev_f1(folder) for folder in shy) < 0.5
    found = average(shy, dev=DEV, output=tmp_path / "mean")
    assert found.mean > 0.9
    assert dev_f1(tmp_path / "mean") > 0.9


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"hidden": 8}, "another hidden"), ({"labels": ("location", "person")}, "another labels")],
)
def test_models_that_do_not_fit_have_no_mean(runs, tiny_encoder, tmp_path, changes, problem) -> None:
    other = tmp_path / "other"
    config = replace(tiny_config(tiny_encoder), **changes)
    checkpoint.save(other, checkpoint.trained_state(checkpoint.build(config)), config)
    with pytest.raises(CheckpointError, match=problem):
        average([runs[0], other], dev=DEV, output=tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_one_model_has_no_mean(runs, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="two or more"):
        average(runs[:1], dev=DEV, output=tmp_path / "mean")


def averaged(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["average", *(str(one) for one in arguments)])


def test_an_older_calibration_in_the_folder_goes_with_the_weights_that_it_was_of(runs, tmp_path) -> None:
    (tmp_path / calibration.FILE).write_text("{}")
    (tmp_path / "README.md").write_text("mine")
    average(runs, dev=DEV, output=tmp_path)
    assert not (tmp_path / calibration.FILE).exists()
    assert (tmp_path / "README.md").exists()


def test_how_far_it_has_come_is_told(runs, tmp_path) -> None:
    told: list[int] = []
    average(runs, dev=DEV, output=tmp_path, told=told.append)
    assert told == [0, 1, 2, 3]


def test_the_command_shows_each_model_and_the_mean(runs, tmp_path) -> None:
    dev = tmp_path / "dev.conll"
    conll.write(dev, DEV)
    output = tmp_path / "mean"
    told = json.loads(averaged(*runs, "--dev", dev, "--output", output, "--json").stdout)
    assert set(told["models"]) == {str(one) for one in runs}
    assert told["output"] == str(output)
    assert 0 <= told["dev_f1"] <= 1
    table = averaged(*runs, "--dev", dev, "--output", output).stdout
    assert "mean" in table
    refused = averaged(*runs, "--dev", dev, "--output", runs[0]).exception
    assert isinstance(refused, InputError)
