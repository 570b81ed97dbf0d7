"""`linkner settings`: every environment variable, what it is for, and what it is here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from workers.cli.options import AsJson

if TYPE_CHECKING:
    from broker.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One variable. `here` is None where it is not set; of a secret only that it is set is told."""

    variable: str
    description: str
    default: Any
    here: Any


def settings(
    changed: Annotated[bool, typer.Option("--set", help="Only those that are set here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting: its environment variable, its default, what it is set to here, and what it is for.

    Passwords and keys are not shown, only that they are set. A value that cannot be used is named.

    Examples:

    linkner settings

    linkner settings --set --json
    """
    from rich.console import Console
    from rich.table import Table

    from broker.settings import load_settings

    found = [one for one in described(load_settings()) if one.here is not None or not changed]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    table = Table(show_lines=False)
    table.add_column("variable", no_wrap=True)
    for column in ("default", "here", "what it is for"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(one.variable, *(_in_words(value) for value in (one.default, one.here)), one.description)
    Console().print(table)


def described(settings: Settings) -> Iterator[Setting]:
    """Every setting, in the order in which they are declared."""
    from pydantic import SecretStr

    for name, field in type(settings).model_fields.items():
        is_secret = not field.repr or field.annotation is SecretStr
        value = getattr(settings, name)
        is_set = name in settings.model_fields_set
        yield Setting(
            variable=str(field.validation_alias or f"LINKNER_{name.upper()}"),
            description=field.description or "",
            default=None if is_secret else field.default,
            here=None if not is_set else "(set, not shown)" if is_secret else _without_password(value),
        )


def _without_password(value: Any) -> Any:
    """A URL without what stands before its host; anything else as it is."""
    if not isinstance(value, str) or "://" not in value:
        return value
    parts = urlsplit(value)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _in_words(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
