from __future__ import annotations

from pathlib import Path

import pytest
import torch

from linkner.errors import CheckpointError, ConfigurationError
from tests.unit.trainer.tiny import recipe, sentences, tiny_config
from trainer import resumption
from trainer.recipe import Progress, Recipe
from trainer.resumption import Standing
from trainer.training import train_model

STANDING = Standing(epoch=2, step=30, best=0.125, since=1)


class BrokenOffError(Exception):
    """What ends a run in these tests."""


def train(encoder: str, output: Path, *, how: Recipe, resume: bool = False, break_at: int = 0) -> float:
    def report(progress: Progress) -> None:
        if progress.step == break_at:
            raise BrokenOffError

    return train_model(
        config=tiny_config(encoder),
        recipe=how,
        train=sentences(120),
        dev=sentences(15),
        output=output,
        report=report,
        resume=resume,
    )


def test_a_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    tensors = {"weight.a": torch.randn(3, 2), "average.a": torch.randn(3, 2)}

    resumption.save(tmp_path, STANDING, tensors, run="r")
    found = resumption.load(tmp_path, run="r")

    assert found is not None
    assert found[0] == STANDING
    assert found[1].keys() == tensors.keys()
    assert all(torch.equal(found[1][name], tensors[name]) for name in tensors)


def test_where_there_is_no_state_a_run_begins_at_its_beginning(tmp_path: Path) -> None:
    assert resumption.load(tmp_path, run="r") is None
    resumption.discard(tmp_path)


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    resumption.save(tmp_path, STANDING, {}, run="one")

    with pytest.raises(ConfigurationError, match="another model, recipe or data"):
        resumption.load(tmp_path, run="two")


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    resumption.save(tmp_path, STANDING, {"weight.a": torch.zeros(9)}, run="r")
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:40])

    with pytest.raises(CheckpointError, match="cannot read"):
        resumption.load(tmp_path, run="r")


@pytest.mark.parametrize("break_at", [25, 30, 40])  # in the second epoch, at its very end, in the third
def test_a_run_that_was_broken_off_ends_as_it_would_have(tiny_encoder, tmp_path, break_at) -> None:
    how = recipe(epochs=4, averaging=0.9)
    whole = train(tiny_encoder, tmp_path / "whole", how=how)

    with pytest.raises(BrokenOffError):
        train(tiny_encoder, tmp_path / "broken", how=how, break_at=break_at)
    resumed = train(tiny_encoder, tmp_path / "broken", how=how, resume=True)

    assert resumed == whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken")]
    assert weights[0] == weights[1]
    assert sorted(path.name for path in (tmp_path / "broken").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_resuming_with_another_recipe_is_refused(tiny_encoder, tmp_path) -> None:
    with pytest.raises(BrokenOffError):
        train(tiny_encoder, tmp_path, how=recipe(), break_at=25)

    with pytest.raises(ConfigurationError, match="another model, recipe or data"):
        train(tiny_encoder, tmp_path, how=recipe(seed=2), resume=True)
