"""`linkner replies`: what the LLM said of the stream's posts, to train the local model on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkner.errors import InputError
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from linkner.held_out import HeldOut
    from workers.ports import DocumentView, Reader

_PAGE = 1_000
_NEWEST = 2**63 - 1  # above every id


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replies)


def replies(
    posts: Annotated[Path, typer.Option(help="JSON lines file to write the posts to.")],
    output: Annotated[Path, typer.Option(help="JSON lines file to write the replies about them to.")],
    source: Annotated[list[str] | None, typer.Option(help="Take posts of this source only.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the newest N posts only.")] = None,
    except_: Annotated[
        list[Path] | None,
        typer.Option("--except", help="CoNLL file to measure on; posts that hold one of its texts go."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write down what the LLM said of the stream's posts, to train the next local model on.

    Taken are finished posts that the LLM was asked about and all of whose questions it answered, with all of
    their entities: those are the posts that the local model was unsure of, and so has most to learn from.
    Copies of a post are taken once. What is written stays where it is when a post is erased from the store.

    Reads LINKNER_POSTGRES_URL, else the running `linkner up`.

    Examples:

    linkner replies --posts posts.jsonl --output replies.jsonl --except test.conll

    linkner train --data wnut17 --add-replies posts.jsonl replies.jsonl --output models/next
    """
    from linkner import conll
    from linkner.held_out import HeldOut
    from linkner.writing import check_outputs
    from workers.cli.state import postgres_url
    from workers.store.database import connect
    from workers.store.reader import PostgresReader

    check_outputs(posts, output, inputs=except_ or ())
    held_out = HeldOut(sentence.words for file in except_ or () for sentence in conll.read(file))
    reader = PostgresReader(connect(postgres_url(), pool_size=1))
    found = (one for one in _distinct(reader, held_out) if not source or one.source in source)
    counts = _write(islice(found, limit), posts=posts, output=output)
    if as_json:
        typer.echo(json.dumps({**counts, "output": str(output)}))
    else:
        replayed = f" ({counts['replayed']:,} with replayed answers)" if counts["replayed"] else ""
        typer.echo(f"{counts['posts']:,} posts with {counts['entities']:,} entities{replayed}: {output}")


def _distinct(reader: Reader, held_out: HeldOut) -> Iterator[DocumentView]:
    """The documents that are answered, the newest first; copies once, and none of the held-out texts."""
    from linkner.repeats import Copies
    from linkner.text import words

    copies = Copies()
    before = _NEWEST
    while page := reader.answered(before=before, limit=_PAGE):
        before = page[-1].document_id
        for one in page:
            known = held_out.is_in([word.of(one.text) for word in words(one.text)])
            if not known and copies.is_new(one.text):
                yield one


def _write(documents: Iterable[DocumentView], *, posts: Path, output: Path) -> dict[str, int]:
    """Write both files; how much was written. Raises InputError, and leaves them, where there is nothing."""
    from linkner.writing import replacing

    counts = {"posts": 0, "entities": 0, "replayed": 0}
    with replacing(posts) as texts, replacing(output) as said:
        for one in documents:
            name = f"{one.source}/{one.external_id}"
            entities = [
                {"start": entity.start, "end": entity.end, "text": entity.text, "type": entity.label}
                for entity in one.entities
            ]
            texts.write(json.dumps({"id": name, "text": one.text}, ensure_ascii=False) + "\n")
            said.write(json.dumps({"id": name, "entities": entities}, ensure_ascii=False) + "\n")
            counts["posts"] += 1
            counts["entities"] += len(entities)
            counts["replayed"] += any(entity.replayed for entity in one.entities)
        if not counts["posts"]:
            raise InputError("the LLM has answered about no such post", expected="a stream that has asked it")
    return counts
