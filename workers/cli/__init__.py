"""The `linkner` command. Each module here adds its commands to the one application."""

from __future__ import annotations

import sys

import typer

from linkner.errors import LinknerError
from workers.cli.batches import register as add_batches
from workers.cli.cache import register as add_cache
from workers.cli.chaos import register as add_chaos
from workers.cli.cost import register as add_cost
from workers.cli.dead import register as add_dead
from workers.cli.demo import register as add_demo
from workers.cli.documents import register as add_documents
from workers.cli.erase import register as add_erase
from workers.cli.keys import register as add_keys
from workers.cli.limits import register as add_limits
from workers.cli.model import register as add_model
from workers.cli.roles import register as add_roles
from workers.cli.simulate import register as add_simulate
from workers.cli.typos import register as add_typos
from workers.cli.up import register as add_up

app = typer.Typer(
    name="linkner",
    help="Named entities in social media streams: a local model for the easy spans, an LLM for the others.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
)
for add_commands in (
    add_demo,
    add_up,
    add_documents,
    add_model,
    add_typos,
    add_chaos,
    add_dead,
    add_erase,
    add_keys,
    add_cache,
    add_cost,
    add_batches,
    add_limits,
    add_simulate,
    add_roles,
):
    add_commands(app)


def main() -> None:
    """Run the command; an error that we raise on purpose is one line on stderr and exit code 2."""
    try:
        app()
    except LinknerError as error:
        print(f"linkner: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
