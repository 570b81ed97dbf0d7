"""`linkner keys`: who may use the gateway."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from linkner.errors import InputError
from workers.cli.options import AsJson
from workers.ports import Scope

if TYPE_CHECKING:
    from workers.store.keys import PostgresKeys

_NAME = re.compile(r"[\w.@-]{1,100}")
_SCOPES: tuple[Scope, ...] = get_args(Scope)

Name = Annotated[str, typer.Argument(help="A name for whoever uses it, such as crawler-1.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(
        help="API keys of the gateway. Reads LINKNER_POSTGRES_URL, else the running `linkner up`.",
        no_args_is_help=True,
    )
    keys.command()(create)
    keys.command("list")(list_keys)
    keys.command()(revoke)
    app.add_typer(keys, name="keys")


def create(
    name: Name,
    scope: Annotated[
        list[str],
        typer.Option(help="submit (send posts), read (results) or admin (operate); may be repeated."),
    ],
    posts_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Most posts a minute; none for no limit.")
    ] = None,
) -> None:
    """Make a key and print it, this once: only its digest is kept.

    Send it as `Authorization: Bearer KEY`; `linkner submit` and the like read LINKNER_API_KEY.

    Example: linkner keys create crawler-1 --scope submit --posts-per-minute 6000
    """
    if not _NAME.fullmatch(name):
        raise InputError("the name cannot be used", expected="letters, digits, and . _ @ -", got=ascii(name))
    unknown = [given for given in scope if given not in _SCOPES]
    if unknown:
        raise InputError("unknown scope", expected=" or ".join(_SCOPES), got=", ".join(unknown))
    scopes = {one for one in _SCOPES if one in scope}
    typer.echo(_keys().create(name, scopes=scopes, posts_per_minute=posts_per_minute))


def list_keys(as_json: AsJson = False) -> None:
    """List the keys by name; the keys themselves are nowhere kept.

    Example: linkner keys list
    """
    from rich.table import Table

    from workers.cli.tables import show

    table = Table("name", "scopes", "posts a minute", "created", "revoked")
    for key in _keys().listed():
        revoked = key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else ""
        created = key.created_at.isoformat(timespec="seconds")
        scopes = sorted(key.scopes)
        if as_json:
            row = {"name": key.name, "scopes": scopes, "posts_per_minute": key.posts_per_minute}
            typer.echo(json.dumps({**row, "created_at": created, "revoked_at": revoked or None}))
        # The T would make one word of day and time, which a narrow window has no room for.
        times = (created.replace("T", " "), revoked.replace("T", " "))
        table.add_row(key.name, " ".join(scopes), str(key.posts_per_minute or ""), *times)
    if not as_json:
        show(table)


def revoke(name: Name) -> None:
    """Take a key's rights away. Gateways may still accept it for five seconds.

    Example: linkner keys revoke crawler-1
    """
    if not _keys().revoke(name):
        raise InputError("there is no such key", got=ascii(name), hint="`linkner keys list` names them")
    typer.echo(f"{name} is revoked")


def _keys() -> PostgresKeys:
    from workers.cli.state import postgres_url
    from workers.store.database import connect
    from workers.store.keys import PostgresKeys

    return PostgresKeys(connect(postgres_url(), pool_size=1))
