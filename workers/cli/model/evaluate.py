"""`linkner evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from workers.cli.model.options import Device, Model


def evaluate(
    data: Annotated[Path, typer.Option(help="CoNLL file with gold tags.")],
    model: Model = None,
    device: Device = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Precision, recall and F1 of a model's entities: over all types, by type, and of spans alone.

    An entity counts where its span and its type are both right. Ratios in the JSON are in [0, 1].

    Examples:

    linkner evaluate --data test.conll

    linkner evaluate --data test.conll --model models/mine --json
    """
    from linkner import conll
    from linkner.recognition.recogniser import Recogniser
    from trainer.evaluation import evaluate as scores_of
    from workers.cli.scores import print_scores, scores_json

    sentences = conll.read(data)
    recogniser = Recogniser.from_pretrained(model, device=device)
    scores = scores_of(recogniser, sentences)
    if as_json:
        typer.echo(json.dumps({"model": recogniser.name, "sentences": len(sentences), **scores_json(scores)}))
    else:
        print_scores(scores, title=f"{recogniser.name} on {len(sentences):,} sentences")
