"""Checkpoints: a folder with `config.json` and `model.safetensors` (half precision; nothing pickled).

The weights are those that training changed: the head and the encoder's LoRA adapters, or the whole encoder
where it was trained whole. What was left alone is read from the encoder named in the configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_bytes
from torch import Tensor

from linkner import calibration
from linkner.errors import CheckpointError, ConfigurationError
from linkner.recognition.encoder import (
    DEFAULT_ENCODER,
    add_lora,
    load_encoder,
    load_tokeniser,
    merge_lora,
    set_dropout,
)
from linkner.recognition.features import Vectoriser
from linkner.recognition.spanner import CLASS_WEIGHTS, SpanHead, SpanNer
from linkner.recognition.uncertainty import ACTIVATIONS, METHODS, Activation, Method

FORMAT = 1
"""Version of the folder's layout; a reader refuses any other."""

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is needed, beside the weights, to build a model and to read its output.

    `labels` are the classes after OUTSIDE in the model's order, `label_set` the name of the set they are of.
    `lora_rank` 0 means that the encoder was trained whole. `passes` counts the stochastic passes of
    `mc-dropout`; `activation` makes evidence of logits for `evidential`. `bottleneck`: the head has a
    variational information bottleneck.
    """

    name: str
    label_set: str
    labels: tuple[str, ...]
    encoder: str = DEFAULT_ENCODER
    lora_rank: int = 32
    max_span_length: int = 6
    window: int = 256
    hidden: int = 256
    dropout: float = 0.2
    encoder_dropout: float = 0.15
    uncertainty: Method = "evidential"
    activation: Activation = "exp"
    passes: int = 8
    bottleneck: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a value out of its range."""
        checks = {
            "labels": bool(self.labels) and len(set(self.labels)) == len(self.labels),
            "lora_rank": self.lora_rank >= 0,
            "max_span_length": 1 <= self.max_span_length <= 32,
            "window": self.window >= 16,
            "hidden": self.hidden >= 1,
            "passes": self.passes >= 1,
            "dropout": 0 <= self.dropout < 1,
            "encoder_dropout": 0 <= self.encoder_dropout < 1,
            "uncertainty": self.uncertainty in METHODS,
            "activation": self.activation in ACTIVATIONS,
        }
        for name, good in checks.items():
            if not good:
                raise ConfigurationError(
                    f"{name} of the model is out of range", got=repr(getattr(self, name))
                )

    @property
    def classes(self) -> int:
        """C: the labels and OUTSIDE."""
        return len(self.labels) + 1


def build(config: ModelConfig) -> SpanNer:
    """An untrained model: the pre-trained encoder, with fresh adapters (or none) and a fresh head."""
    encoder = load_encoder(config.encoder)
    width, limit = encoder.config.hidden_size, encoder.config.max_position_embeddings
    if config.window > limit:
        raise ConfigurationError(
            f"a window of {config.window} tokens is too large for {config.encoder}",
            expected=f"at most {limit}",
        )
    set_dropout(encoder, config.encoder_dropout)
    if config.lora_rank:
        encoder = add_lora(encoder, rank=config.lora_rank)
    head = SpanHead(
        width=width,
        hidden=config.hidden,
        classes=config.classes,
        max_span_length=config.max_span_length,
        dropout=config.dropout,
        bottleneck=config.bottleneck,
    )
    return SpanNer(encoder, head, dropout=config.dropout)


def vectoriser(config: ModelConfig) -> Vectoriser:
    """What makes the model's input of words. Raises ConfigurationError where the encoder is not there."""
    return Vectoriser(
        load_tokeniser(config.encoder), window=config.window, max_span_length=config.max_span_length
    )


def trained_state(model: SpanNer) -> dict[str, Tensor]:
    """The parameters that training changes, by name (not copied)."""
    return {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}


def save(folder: Path, trained: Mapping[str, Tensor], config: ModelConfig) -> None:
    """Write the checkpoint of a model with these trained weights.

    An older calibration in the folder is of other weights, and goes; any other files stay.

    Raises:
        CheckpointError: a weight is not finite in half precision: training diverged.
    """
    state = {name: value.to("cpu", torch.float16).contiguous() for name, value in trained.items()}
    for name, value in state.items():
        if not value.isfinite().all():
            raise CheckpointError(f"{name} is not finite in half precision", hint="lower the learning rate")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / calibration.FILE).unlink(missing_ok=True)
    (folder / _WEIGHTS).write_bytes(save_bytes(state))
    text = json.dumps({"format": FORMAT, **asdict(config)}, indent=2)
    (folder / _CONFIG).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[SpanNer, ModelConfig, str]:
    """The model in fp32 on the CPU, adapters merged; its configuration; a digest of its weights.

    Raises:
        CheckpointError: a file is missing or damaged, of another format, or does not fit the encoder.
        ConfigurationError: the encoder is not there.
    """
    config = read_config(folder)
    model = build(config)
    fill(model, read_weights(folder), folder)
    if config.lora_rank:
        model.encoder = merge_lora(model.encoder)
    digest = hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest()
    return model.eval(), config, digest


def adopt(model: SpanNer, config: ModelConfig, folder: Path) -> None:
    """Begin from the weights of another checkpoint; without those of its classes where its labels are others.

    Raises:
        CheckpointError: it cannot be read, or its model was not built with the same encoder and sizes.
    """
    same = read_config(folder).labels == config.labels

    def shared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in state.items() if same or not name.startswith(CLASS_WEIGHTS)}

    _fill(shared(trained_state(model)), shared(read_weights(folder)), folder / _WEIGHTS)


def fill(model: SpanNer, state: Mapping[str, Tensor], folder: Path) -> None:
    """Put trained weights, read from `folder`, into a model as `build` gives it.

    Raises:
        CheckpointError: they are not those of such a model.
    """
    _fill(trained_state(model), state, folder / _WEIGHTS)


def read_config(folder: Path) -> ModelConfig:
    """The checkpoint's configuration. Raises CheckpointError where it cannot be read."""
    path = folder / _CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise CheckpointError(f"{path} is of another format", expected=f'"format": {FORMAT}')
        unknown = values.keys() - {field.name for field in fields(ModelConfig)}
        if unknown:
            raise CheckpointError(f"{path} has unknown fields", got=", ".join(sorted(unknown)))
        return ModelConfig(**{**values, "labels": tuple(values["labels"])})
    except OSError as error:
        hint = "give the folder that `linkner train` wrote"
        raise CheckpointError(f"cannot read {path}", got=error.strerror or "", hint=hint) from error
    except (ValueError, TypeError, KeyError, ConfigurationError) as error:
        raise CheckpointError(f"{path} cannot be used", got=str(error)) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The trained weights by name, in half precision. Raises CheckpointError where they cannot be read."""
    path = folder / _WEIGHTS
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}", expected="a safetensors file", got=str(error)) from error


def _fill(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> None:
    """Copy the weights of a file into those wanted, in place; the names and shapes must be the same."""
    for problem, names in (
        ("lacks", wanted.keys() - state.keys()),
        ("has unknown", state.keys() - wanted.keys()),
    ):
        if names:
            listed = ", ".join(sorted(names)[:3])
            got = f"{listed} and others" if len(names) > 3 else listed
            raise CheckpointError(f"{path} {problem} weights", got=got)
    for name, target in wanted.items():
        if target.shape != state[name].shape:
            raise CheckpointError(
                f"{name} in {path} has another shape",
                expected=str(list(target.shape)),
                got=str(list(state[name].shape)),
            )
        target.copy_(state[name])
