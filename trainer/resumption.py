"""The state of a training run after an epoch, from which a new process goes on as if nothing had happened.

One safetensors file beside the checkpoint, replaced in one step: weights, their running average and the
optimiser's moments in full precision; how far the run has come is in the file's metadata. Random numbers
need no state: each epoch draws its own from the seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from linkner.errors import CheckpointError, ConfigurationError
from linkner.recognition.checkpoint import ModelConfig
from trainer.recipe import Recipe

_FILE = "unfinished.safetensors"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run has come: `epoch` epochs and `step` steps are done; the best dev F1 so far, and how many
    epochs ago it was reached.
    """

    epoch: int
    step: int
    best: float
    since: int


def fingerprint(config: ModelConfig, recipe: Recipe, *, sentences: int) -> str:
    """What must be equal for a run to go on: model, recipe (the device left aside) and size of the data."""
    values = {**asdict(config), **asdict(recipe), "device": None, "sentences": sentences}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def save(folder: Path, standing: Standing, tensors: Mapping[str, Tensor], *, run: str) -> None:
    """Write the state of the run with this fingerprint; a reader finds the old file or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"run": run, **{name: repr(value) for name, value in asdict(standing).items()}}
    part = folder / f"{_FILE}.part"
    save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, part, metadata=metadata)
    part.replace(folder / _FILE)


def is_broken_off(folder: Path) -> bool:
    """Whether the folder holds the state of a run that is not over."""
    return (folder / _FILE).exists()


def load(folder: Path, *, run: str) -> tuple[Standing, dict[str, Tensor]] | None:
    """The state in the folder, or None where there is none.

    Raises:
        ConfigurationError: it is the state of another run.
        CheckpointError: it cannot be read.
    """
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found = metadata.pop("run")
        standing = Standing(**{name: json.loads(value) for name, value in metadata.items()})
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"cannot read {path}", got=str(error), hint="train without --resume") from error
    if found != run:
        raise ConfigurationError(
            f"{path} is of a run with another model, recipe or data",
            hint="give the same options as then, or train without --resume",
        )
    return standing, tensors


def discard(folder: Path) -> None:
    """Forget the state: the run is over, or a new one begins."""
    (folder / _FILE).unlink(missing_ok=True)
