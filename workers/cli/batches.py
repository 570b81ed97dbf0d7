"""`linkner batches`: what was asked in batches, and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from workers.ports import BatchView


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(batches)


def batches(
    limit: Annotated[int, typer.Option(min=1, help="At most N, the latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the batches of the batch lane. Reads LINKNER_POSTGRES_URL, else the running `linkner up`.

    With --json, one batch a line.

    Example: linkner batches --json | jq .provider_id
    """
    from workers.cli.state import postgres_url
    from workers.cli.tables import show
    from workers.store.batching import PostgresBatches
    from workers.store.database import connect

    found = PostgresBatches(connect(postgres_url(), pool_size=1)).latest(limit=limit)
    if as_json:
        for view in found:
            typer.echo(json.dumps(_as_json(view)))
    elif found:
        show(_table(found))
    else:
        typer.echo("no batch was made yet")


def _as_json(view: BatchView) -> dict[str, Any]:
    return {
        "name": view.name,
        "state": view.state,
        "provider_id": view.provider_id,
        "created_at": view.created_at.isoformat(),
        "ended_at": view.ended_at and view.ended_at.isoformat(),
        "waiting": view.waiting,
        "answered": view.answered,
        "error": view.error,
    }


def _table(found: list[BatchView]) -> Table:
    from rich.table import Table

    table = Table(title="Batches")
    for column in ("made", "state", "provider's id", "waiting", "answered", "ended"):
        table.add_column(column, justify="right" if column in {"waiting", "answered"} else "left")
    table.add_column("error", overflow="fold")
    for view in found:
        ended = f"{view.ended_at:%Y-%m-%d %H:%M:%S}" if view.ended_at else ""
        table.add_row(
            f"{view.created_at:%Y-%m-%d %H:%M:%S}",
            view.state,
            view.provider_id or "",
            f"{view.waiting:,}",
            f"{view.answered:,}",
            ended,
            view.error or "",
        )
    return table
