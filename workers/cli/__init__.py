"""The `linkner` command. Each module here adds its commands to the one application."""

from __future__ import annotations

import sys

import typer

from linkner.errors import LinknerError
from workers.cli import demo, documents, model, roles, simulate, up

app = typer.Typer(
    name="linkner",
    help="Named entities in social media streams: a local model for the easy spans, an LLM for the others.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
)
for module in (demo, up, documents, model, simulate, roles):
    module.register(app)


def main() -> None:
    """Run the command; an error that we raise on purpose is one line on stderr and exit code 2."""
    try:
        app()
    except LinknerError as error:
        print(f"linkner: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
