"""Options that several of the model's commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    Path | None, typer.Option(help="Checkpoint folder. [default: the one that comes with LinkNER]")
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda. [default: cuda where there is a GPU]")]
