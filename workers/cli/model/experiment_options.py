"""The options that the experiments share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workers.cli.model.options import Protocol, Uncertainty


class Split(StrEnum):
    """Names of the parts of a data set that are evaluated on."""

    DEV = "dev"
    TEST = "test"


Data = Annotated[
    list[Path],
    typer.Option(help="Labelled CoNLL file, or folder of a known set (see `datasets`); may be repeated."),
]
SetName = Annotated[
    str | None, typer.Option("--data-set", help="Which set --data is of. [default: as its folder is called]")
]
Part = Annotated[Split, typer.Option("--split", help="Which part of a folder's data set.")]
Models = Annotated[
    list[Path] | None,
    typer.Option("--model", help="Checkpoint folder; may be repeated. [default: the one of LinkNER]"),
]
Uncertainties = Annotated[
    list[Uncertainty] | None,
    typer.Option("--uncertainty", help="Read each model by this; may be repeated. [default: as trained]"),
]
Replies = Annotated[
    list[Path] | None,
    typer.Option(help="Recorded replies to replay: one file for each --data, in that order."),
]
Protocols = Annotated[
    list[Protocol] | None,
    typer.Option("--protocol", help="How candidates are found; may be repeated. [default: both]"),
]
Threshold = Annotated[
    str, typer.Option(help="τ: `paper` (its Table 6), a number, or the JSON file that `table6` wrote.")
]
Epsilon = Annotated[
    float, typer.Option(min=0, max=1, help="Deployed: O spans above this entity probability are asked about.")
]
MaxCandidates = Annotated[int, typer.Option(min=0, help="Deployed: most candidates of a post.")]
Descriptions = Annotated[
    Path | None, typer.Option(help="JSON of label descriptions for the question. [default: LinkNER's own]")
]
Output = Annotated[
    Path | None, typer.Option(help="Folder for files. [default: none for tables, . for figures]")
]
