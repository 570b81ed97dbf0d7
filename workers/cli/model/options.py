"""Options that several of the model's commands take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Uncertainty(StrEnum):
    """Names of the uncertainty estimates."""

    EVIDENTIAL = "evidential"
    CONFIDENCE = "confidence"
    ENTROPY = "entropy"
    MC_DROPOUT = "mc-dropout"
    MC_DROPOUT_HEAD = "mc-dropout-head"


class FormOption(StrEnum):
    """Names of the forms of question."""

    PER_SPAN = "per-span"
    PACKED = "packed"
    PROPOSE = "propose"


Model = Annotated[
    Path | None, typer.Option(help="Checkpoint folder. [default: the one that comes with LinkNER]")
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda. [default: cuda where there is a GPU]")]
UncertaintyOverride = Annotated[
    Uncertainty | None,
    typer.Option(
        help="How u is estimated; `evidential` needs a model trained so. [default: as the model was trained]"
    ),
]
