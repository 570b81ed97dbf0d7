"""The values of a training run: how to train, and what is told while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from linkner.errors import ConfigurationError
from linkner.recognition.losses import LOSSES, LossName
from linkner.scoring import Scores


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    `learning_rate` is that of the adapters (or of the whole encoder), `head_learning_rate` that of the rest;
    both rise linearly over the share `warmup` of all steps, then fall linearly to zero. `batch_size` counts
    one worker's windows. `averaging` is the decay of the running average of the weights. The E-NER weights λ
    of equation 8 begin at `penalty` and grow by the epoch, to reach 1 at `penalty_epochs`. Each epoch, the
    share `post_share` of the sentences has its words split as those of raw posts are, the share
    `entity_replacement` of the entities is replaced by others of the same label, and the share `typos` gets a
    typo. The share `mask_share` of all wordpieces is hidden from the encoder. `bottleneck` is the price β of
    each nat that a span's vector holds, where the model has a bottleneck. Training ends after `patience`
    epochs without a better dev F1. `half`: the encoder computes in bfloat16; None: where the device is made
    for it.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    loss: LossName = "e-ner"
    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 1e-3
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    averaging: float = 0.995
    penalty: float = 0.01
    penalty_epochs: int = 10
    post_share: float = 0.5
    mask_share: float = 0.12
    entity_replacement: float = 0.0
    typos: float = 0.0
    bottleneck: float = 0.0
    patience: int = 4
    seed: int = 1
    device: str | None = None
    half: bool | None = None

    def __post_init__(self) -> None:
        checks = {
            "loss": self.loss in LOSSES,
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "learning_rate": self.learning_rate > 0,
            "head_learning_rate": self.head_learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "warmup": 0 <= self.warmup < 1,
            "clip": self.clip > 0,
            "averaging": 0 <= self.averaging < 1,
            "penalty": 0 < self.penalty <= 1,
            "penalty_epochs": self.penalty_epochs >= 1,
            "post_share": 0 <= self.post_share <= 1,
            "mask_share": 0 <= self.mask_share < 1,
            "entity_replacement": 0 <= self.entity_replacement <= 1,
            "typos": 0 <= self.typos <= 1,
            "bottleneck": self.bottleneck >= 0,
            "patience": self.patience >= 1,
        }
        for name, good in checks.items():
            if not good:
                raise ConfigurationError(
                    f"{name} of the training is out of range", got=repr(getattr(self, name))
                )


@dataclass(frozen=True, slots=True)
class Progress:
    """What worker 0 tells after every few steps and, then with the scores on dev, after each epoch.

    `epoch` counts from 1; `step` of `steps` is the position in the whole run; `loss` is the mean of the epoch
    so far; `best` says that the epoch's weights were the best and have been written.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    dev: Scores | None = None
    best: bool = False
