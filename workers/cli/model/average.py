"""`linkner average`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from linkner.writing import check_outputs, writing_to
from workers.cli.model.options import Device
from workers.cli.options import AsJson
from workers.cli.progress import Steps
from workers.cli.tables import show


def average(
    models: Annotated[list[Path], typer.Argument(help="Checkpoint folders, two or more.", metavar="MODEL…")],
    dev: Annotated[Path, typer.Option(help="CoNLL file on which precision and recall are balanced.")],
    output: Annotated[Path, typer.Option(help="Folder for the checkpoint; made if it is not there.")],
    name: Annotated[str | None, typer.Option(help="Name of the model. [default: that of the first]")] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Average the weights of models that were trained from one checkpoint, and balance the mean on dev.

    The mean is one model, as fast as each of them and often better. The table says whether it is: dev F1 of
    each, and of the mean. Models without training in common have no useful mean.

    Examples:

    linkner train --data wnut17 --start-from models/first --seed 2 --output models/two

    linkner train --data wnut17 --start-from models/first --seed 3 --output models/three

    linkner average models/two models/three --dev wnut17/dev.conll --output models/mean
    """
    from linkner.recognition.checkpoint import read_config
    from trainer import averaging
    from trainer.evaluation.local import read_labelled

    check_outputs(output, inputs=models)
    sentences = read_labelled(dev, labels=read_config(models[0]).labels)
    with writing_to(output), Steps() as steps:
        steps.expect("models", len(models) + 1)
        told = partial(steps.at, "models")
        found = averaging.average(models, dev=sentences, output=output, name=name, device=device, told=told)
    if as_json:
        each = {str(model): f1 for model, f1 in zip(models, found.each, strict=True)}
        typer.echo(json.dumps({"dev_f1": found.mean, "models": each, "output": str(output)}))
        return
    table = Table(title=f"F1 on {dev.name}, each in its best balance")
    table.add_column("model")
    table.add_column("F1", justify="right")
    for model, f1 in zip(models, found.each, strict=True):
        table.add_row(str(model), f"{100 * f1:.1f}")
    table.add_row(f"mean: {output}", f"{100 * found.mean:.1f}", style="bold")
    show(table)
