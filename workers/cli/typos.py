"""`linkner typos`: labelled data with character edits in its entities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from linkner.errors import InputError
from workers.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(typos)


def typos(
    data: Annotated[Path, typer.Option(help="CoNLL file with gold tags.")],
    output: Annotated[Path, typer.Option(help="CoNLL file to write (BIO).")],
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the entities that are edited. Paper: all.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same edits.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Write a version of labelled data with typos in its entities, as the paper's CoNLL'03-Typos has them.

    In one word of each entity a character is inserted, deleted, replaced, or swapped with the next one; a
    word's first character stays. Words keep their number and their tags. Entities whose words have one
    character each are not edited.

    Examples:

    linkner typos --data test.conll --output test-typos.conll --seed 1

    linkner evaluate --data test.conll test-typos.conll
    """
    import random

    from linkner import conll
    from linkner.typos import with_typos
    from linkner.writing import check_outputs

    check_outputs(output, inputs=[data])
    rng = random.Random(seed)
    before = conll.read(data)
    if not before:
        raise InputError(f"{data} holds no sentence", expected="words and tags in columns")
    after = [with_typos(sentence, share=share, rng=rng) for sentence in before]
    edited = sum(
        old.surface(entity.span) != new.surface(entity.span)
        for old, new in zip(before, after, strict=True)
        for entity in old.entities
    )
    total = sum(len(sentence.entities) for sentence in before)
    conll.write(output, after)
    if as_json:
        typer.echo(
            json.dumps({"sentences": len(after), "entities": total, "edited": edited, "output": str(output)})
        )
    else:
        typer.echo(f"{edited:,} of {total:,} entities edited, in {len(after):,} sentences: {output}")
