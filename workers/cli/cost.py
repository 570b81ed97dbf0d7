"""`linkner cost`: what LLM calls used and cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from workers.ports import CostRow

_DAY_S = 86_400.0


class By(StrEnum):
    """What costs are grouped by."""

    source = "source"
    day = "day"
    model = "model"
    endpoint = "endpoint"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(cost)


def cost(
    by: Annotated[By, typer.Option(help="What to group by; days are those of UTC.")] = By.day,
    days: Annotated[float, typer.Option(min=0.0, help="Look back this many days.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Show what LLM calls used and cost, by the prices of LINKNER_LLM_PRICES when they were made.

    Answers from the cache are no calls. Reads LINKNER_POSTGRES_URL, else the running `linkner up`.

    Examples: `linkner cost`; `linkner cost --by source --days 1 --json`
    """
    from workers.cli.state import postgres_url
    from workers.cli.tables import show
    from workers.store.database import connect
    from workers.store.reader import PostgresReader

    rows = PostgresReader(connect(postgres_url(), pool_size=1)).costs(by.value, within_s=days * _DAY_S)
    if as_json:
        listed = [{**asdict(row), "cost": str(row.cost)} for row in rows]
        total = str(sum(row.cost for row in rows))
        typer.echo(json.dumps({"by": by.value, "days": days, "rows": listed, "total": total}))
    else:
        show(_table(rows, by=by.value))


def _table(rows: list[CostRow], *, by: str) -> Table:
    from rich.table import Table

    table = Table(title="Cost of LLM calls, in the currency of the prices", show_footer=True)
    table.add_column(by, footer="total", overflow="fold")
    columns = {
        "calls": [row.calls for row in rows],
        "replayed": [row.replayed for row in rows],
        "without a price": [row.unpriced for row in rows],
        "prompt tokens": [row.prompt_tokens for row in rows],
        "of them cached": [row.cached_prompt_tokens for row in rows],
        "completion tokens": [row.completion_tokens for row in rows],
    }
    for name, values in columns.items():
        table.add_column(name, justify="right", footer=f"{sum(values):,}")
    table.add_column("cost", justify="right", footer=f"{sum(row.cost for row in rows):,.6f}")
    for number, row in enumerate(rows):
        table.add_row(row.name, *(f"{values[number]:,}" for values in columns.values()), f"{row.cost:,.6f}")
    return table
