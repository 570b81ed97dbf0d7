"""`linkner label`: training data from raw posts, labelled by models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkner.errors import ConfigurationError, InputError
from workers.cli.model.options import Device
from workers.cli.options import AsJson
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from trainer.labelling import SelfLabelled


def label(
    posts: Annotated[Path, typer.Option(help="Posts, JSON lines with id and text; .gz is read, too.")],
    output: Annotated[Path, typer.Option(help="CoNLL file to write (BIO).")],
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Checkpoint folder; of several, the mean is taken. [default: the one shipped]"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Label the first N posts only.")] = None,
    unsure: Annotated[
        tuple[float, float],
        typer.Option(help="Leave out posts with a span whose entity probability is between these two."),
    ] = (0.3, 0.6),
    bare: Annotated[
        float, typer.Option(min=0, help="Posts without an entity that are kept for each one with.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the posts without an entity that are kept.")] = 1,
    except_: Annotated[
        list[Path] | None,
        typer.Option("--except", help="CoNLL file to measure on; posts that hold one of its texts go."),
    ] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Label raw posts with trained models, to train another one on (self-training).

    Left out are copies of a post, posts with a text of the files to measure on (`--except`), posts that the
    models are unsure of, and at random posts without an entity beyond those that `--bare` keeps.

    Examples:

    linkner label --posts posts.jsonl.gz --model seed1 --model seed2 --output labelled.conll
    --except wnut17/dev.conll --except wnut17/test.conll

    linkner train --data wnut17 --add-data labelled.conll --output models/student
    """
    from itertools import islice

    from linkner import conll
    from linkner.held_out import HeldOut
    from linkner.recognition.ensemble import Ensemble
    from linkner.recognition.recogniser import Recogniser
    from linkner.writing import check_outputs
    from trainer.labelling import label_posts
    from trainer.recorded import read_posts

    check_outputs(output, inputs=[posts, *(except_ or [])])
    low, high = unsure
    if not 0 <= low <= high <= 1:
        raise ConfigurationError(
            "--unsure is no range of probabilities", expected="0 ≤ LOW ≤ HIGH ≤ 1", got=f"{low:g} {high:g}"
        )
    texts = dict(islice(read_posts(posts).items(), limit))
    if not texts:
        raise InputError(f"{posts} holds no post", expected='{"id": "…", "text": "…"} on each line')
    held_out = HeldOut(sentence.words for file in except_ or () for sentence in conll.read(file))
    models = Ensemble([Recogniser.from_pretrained(one, device=device) for one in model or (None,)])
    with Steps(quiet=as_json) as steps:
        steps.expect("label", len(texts))
        made = label_posts(
            texts,
            models,
            unsure=unsure,
            bare=bare,
            seed=seed,
            held_out=held_out,
            told=lambda done: steps.at("label", done),
        )
    if not made.sentences:
        raise InputError(f"the models are sure of no entity in {posts}", expected="posts that name something")
    conll.write(output, made.sentences)
    _tell(made, posts=len(texts), output=output, as_json=as_json)


def _tell(made: SelfLabelled, *, posts: int, output: Path, as_json: bool) -> None:
    entities = sum(len(sentence.entities) for sentence in made.sentences)
    if as_json:
        counts = {"posts": posts, "sentences": len(made.sentences), "entities": entities}
        left_out = {name: getattr(made, name) for name in ("repeated", "held_out", "unsure", "surplus")}
        typer.echo(json.dumps({**counts, **left_out, "output": str(output)}))
        return
    typer.echo(f"{len(made.sentences):,} of {posts:,} posts with {entities:,} entities: {output}")
    typer.echo(
        f"left out: {made.repeated:,} empty or repeated, {made.held_out:,} to measure on, "
        f"{made.unsure:,} unsure, {made.surplus:,} without an entity"
    )
