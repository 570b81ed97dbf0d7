"""Options that several of the model's commands take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from linkner.errors import ConfigurationError


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


class Protocol(StrEnum):
    """Names of the protocols of evaluation."""

    PAPER = "paper"
    DEPLOYED = "deployed"


def _png(path: Path | None) -> Path | None:
    if path is not None and path.suffix != ".png":
        raise ConfigurationError("--plot writes PNG", expected="a name that ends in .png", got=str(path))
    return path


def plot_option(what: str) -> Any:
    """The option of a PNG file to draw to, with this help."""
    return typer.Option("--plot", help=what, callback=_png)


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
Endpoint = Annotated[
    str | None, typer.Option("--llm", help="OpenAI-compatible endpoint to ask. (Its key: OPENAI_API_KEY.)")
]
LlmModel = Annotated[str, typer.Option(help="Name of the endpoint's model.")]
Connections = Annotated[int, typer.Option(min=1, help="Calls to the endpoint at once.")]
Deadline = Annotated[float, typer.Option(min=0.1, help="Longest time of one call.")]
