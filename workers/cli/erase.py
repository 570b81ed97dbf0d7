"""`linkner erase`: documents removed with all that was found, asked and answered about them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from linkner.errors import InputError
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from workers.ports import Erasure, Selection

_BATCH = 500


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(erase)


def erase(
    author: Annotated[str | None, typer.Option(help="All posts of this author.")] = None,
    document: Annotated[
        str | None, typer.Option(metavar="ID", help="With --source: the post of this external id.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only posts of this source.")] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those accepted before (2026-03-07, or with T17:00Z)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them and erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase documents: texts, entities, questions, answers, and what the answer cache got from them.

    What calls cost stays, without text. The feed tells its readers which documents are gone. A post that is
    sent again afterwards is a new document. Not searched are messages that no worker could use (they are
    listed by `linkner dead`) and what a provider keeps of a batch. With LINKNER_RETENTION_DAYS finished
    documents of that age are erased without this command.

    Reads LINKNER_POSTGRES_URL, else the running `linkner up`. May be interrupted and run again.

    Examples: `linkner erase --author ada --dry-run`; `linkner erase --source twitter --document 42 --yes`;
    `linkner erase --source reddit --before 2026-01-01`
    """
    from workers.cli.state import postgres_url
    from workers.ports import Selection
    from workers.store.database import connect
    from workers.store.erasing import PostgresErasure

    if as_json and not (dry_run or yes or sys.stdin.isatty()):
        raise InputError("there is no one to ask whether to erase", expected="--yes, or --dry-run")
    selection = Selection(
        source=source, external_id=document, author=author, accepted_before=_time(before) if before else None
    )
    erasure = PostgresErasure(connect(postgres_url(), pool_size=1))
    found = erasure.count(selection)
    if found and not (dry_run or yes):
        typer.confirm(f"erase {found:,} documents for ever?", abort=True, err=True)
    erased = 0 if dry_run else _erase(erasure, selection, expected=found, quiet=as_json)
    if as_json:
        typer.echo(json.dumps({"found": found, "erased": erased, "dry_run": dry_run}))
    else:
        typer.echo(f"{found:,} would be erased" if dry_run else f"erased {erased:,} documents")


def _erase(erasure: Erasure, selection: Selection, *, expected: int, quiet: bool) -> int:
    """Batch by batch; those that are accepted meanwhile go as well."""
    from workers.cli.progress import Steps

    done = after = 0
    with Steps(quiet=quiet) as steps:
        while (batch := erasure.erase(selection, after=after, limit=_BATCH)).documents:
            done, after = done + batch.documents, batch.last_id
            steps.show("erased", done, max(expected, done))
    return done


def _time(written: str) -> datetime:
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        raise InputError(
            "it is no time", expected="such as 2026-03-07 or 2026-03-07T17:00:00Z", got=ascii(written[:40])
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
