"""`linkner extract`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.model.options import Device, Model, UncertaintyOverride
from workers.cli.post_lines import PostLines, at_hand

if TYPE_CHECKING:
    from linkner.spans import Recognition, ScoredSpan

_CHUNK = 256  # lines that `extract` works on together, where so many are there


def extract(
    model: Model = None,
    device: Device = None,
    uncertainty: UncertaintyOverride = None,
    plausible: Annotated[
        bool, typer.Option("--plausible", help="Also give spans that are no entity but may be one.")
    ] = False,
) -> None:
    """Entities of posts from standard input, one JSON object a line on standard output, as they come.

    A line is a post, or a JSON object with `text` and, if it is to be carried over, `id`. Offsets are Unicode
    code points: `text[start:end]` is the entity's `surface`. A line that cannot be used is reported on
    standard error with its number; the others are worked on, and the exit code is 1.

    Examples:

    echo "Spending the weekend in Lisbon" | linkner extract

    linkner extract < posts.jsonl > entities.jsonl
    """
    from linkner.recognition.recogniser import Recogniser

    recogniser = Recogniser.from_pretrained(
        model, device=device, uncertainty=uncertainty.value if uncertainty else None
    )
    lines, done = PostLines(), 0
    for read in at_hand(sys.stdin.buffer, most=_CHUNK):  # type: ignore[arg-type]  # it is a BufferedReader
        chunk = list(lines.posts(read))
        recognitions = recogniser.recognise([text for _, text in chunk])
        for (identity, text), found in zip(chunk, recognitions, strict=True):
            line = {**identity, **_entities_json(text, found, plausible=plausible), "model": recogniser.name}
            # A lone surrogate has no UTF-8; its Python escape is its JSON escape too.
            typer.echo(json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace"))
        done += len(chunk)
        if sys.stderr.isatty():
            typer.echo(f"\r{done:,} posts", err=True, nl=False)
    if sys.stderr.isatty():
        typer.echo(err=True)
    if lines.bad:
        raise typer.Exit(1)


def _entities_json(text: str, found: Recognition, *, plausible: bool) -> dict[str, Any]:
    def listed(spans: Sequence[ScoredSpan]) -> list[dict[str, Any]]:
        return [{"surface": scored.span.of(text), **scored.to_json()} for scored in spans]

    line: dict[str, Any] = {"text": text, "entities": listed(found.entities)}
    return {**line, "plausible": listed(found.plausible)} if plausible else line
