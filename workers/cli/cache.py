"""`linkner cache`: the answers that equal questions share, for who runs the system."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from workers.cli.options import AsJson

_DAY_S = 86_400.0


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Answers that equal questions share. Reads LINKNER_POSTGRES_URL, else the running `linkner up`.",
        no_args_is_help=True,
    )
    group.command()(stats)
    group.command()(purge)
    app.add_typer(group, name="cache")


def stats(as_json: AsJson = False) -> None:
    """What the cache holds, and what share of the answers came from it.

    Example: linkner cache stats --json
    """
    from rich.table import Table

    from workers.cli.state import postgres_url
    from workers.cli.tables import show
    from workers.store.database import connect
    from workers.store.reader import PostgresReader

    counts = PostgresReader(connect(postgres_url(), pool_size=1)).cache()
    if as_json:
        typer.echo(json.dumps({**asdict(counts), "hit_rate": counts.hit_rate}))
        return
    table = Table(title="Answer cache", show_header=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_row("answers kept", f"{counts.answers:,}")
    table.add_row("being asked for", f"{counts.promised:,}")
    table.add_row("oldest answer", f"{counts.oldest_s / _DAY_S:,.1f} days")
    table.add_row("size", f"{counts.bytes / 1e6:,.1f} MB")
    table.add_row("questions answered", f"{counts.answered:,}")
    table.add_row("  of them from the cache", f"{counts.from_cache:,} ({counts.hit_rate:.1%})")
    show(table)


def purge(
    older_than_days: Annotated[
        float | None,
        typer.Option(min=0.0, help="Forget answers of this age. [default: LINKNER_CACHE_MAX_AGE_S]"),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only answers that this model gave, by its own name; of any age.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Forget every answer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget answers; without an option those that are too old to be used. Finished documents keep theirs.

    Examples: `linkner cache purge --older-than-days 7`; `linkner cache purge --model gpt-4o-mini-2024-07-18`
    """
    from broker.settings import load_settings
    from workers.cli.state import postgres_url
    from workers.store.database import connect
    from workers.store.repository import PostgresStore

    age_s = load_settings().cache_max_age_s
    if everything or (model is not None and older_than_days is None):
        age_s = 0.0
    elif older_than_days is not None:
        age_s = older_than_days * _DAY_S
    store = PostgresStore(connect(postgres_url(), pool_size=1))
    purged = store.purge_cache(older_than_s=age_s, model=model)
    typer.echo(json.dumps({"purged": purged}) if as_json else f"forgot {purged:,} answers")
