"""The mean of several checkpoints' weights: one model that is often better than each, at the cost of one.

It needs models that have much of their training in common, such as runs with several seeds from one
checkpoint: weights that were drawn apart have no mean that means something (Wortsman and others, 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from linkner.conll import Sentence
from linkner.errors import CheckpointError, ConfigurationError
from linkner.recognition import checkpoint
from linkner.recognition.checkpoint import ModelConfig
from linkner.recognition.recogniser import Recogniser
from trainer.balancing import balanced
from trainer.datasets import check_labels

_FREE = {"name", "dropout", "encoder_dropout", "passes"}  # what may differ between the models


@dataclass(frozen=True, slots=True)
class Averaged:
    """Dev F1 in [0, 1] of each model in its own balance, in their order, and of their mean."""

    each: tuple[float, ...]
    mean: float


def average(
    folders: Sequence[Path],
    *,
    dev: Sequence[Sentence],
    output: Path,
    name: str | None = None,
    device: str | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Averaged:
    """Write the checkpoint of the models' mean, its precision and recall in balance on dev.

    Args:
        folders: two checkpoints or more; what only training and reading u know of is taken from the first.
        name: of the mean; by default that of the first.
        told: is called with how many models are measured, of one more than there are folders.

    Raises:
        CheckpointError: one cannot be read, or is not of the first one's encoder, labels and sizes.
        ConfigurationError: fewer than two; the encoder or the device is not there.
        InputError: dev has a label that the models lack.
    """
    if len(folders) < 2:
        raise ConfigurationError("too few models to take the mean of", expected="two or more")
    configs = [checkpoint.read_config(folder) for folder in folders]
    for folder, config in zip(folders[1:], configs[1:], strict=True):
        _check_alike(configs[0], config, folder)
    config = replace(configs[0], name=name or configs[0].name)
    check_labels(dev, labels=config.labels, path="the dev data")
    states = [checkpoint.read_weights(folder) for folder in folders]
    each = []
    for done, (folder, state) in enumerate(zip(folders, states, strict=True)):
        told(done)
        each.append(_on_dev(config, state, folder, dev, device)[0])
    told(len(folders))
    mean, weights = _on_dev(config, _mean(states), folders[0], dev, device)
    checkpoint.save(output, weights, config)
    told(len(folders) + 1)
    return Averaged(each=tuple(each), mean=mean)


def _check_alike(first: ModelConfig, other: ModelConfig, folder: Path) -> None:
    for field in fields(ModelConfig):
        wanted, got = getattr(first, field.name), getattr(other, field.name)
        if field.name not in _FREE and wanted != got:
            raise CheckpointError(
                f"{folder} is of another {field.name} than the first model",
                expected=str(wanted),
                got=str(got),
                hint="train runs from one checkpoint with --start-from",
            )


def _mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([state[name].float() for state in states]).mean(dim=0) for name in states[0]}


def _on_dev(
    config: ModelConfig,
    state: Mapping[str, Tensor],
    folder: Path,
    dev: Sequence[Sentence],
    device: str | None,
) -> tuple[float, dict[str, Tensor]]:
    """The dev F1 of a model with these weights in the best balance, and the weights that have it."""
    model = checkpoint.build(config)
    checkpoint.fill(model, state, folder)
    recogniser = Recogniser(model, config, checkpoint.vectoriser(config), device=device)
    scores, weights = balanced(recogniser, checkpoint.trained_state(model), dev)
    return scores.micro.f1, weights
