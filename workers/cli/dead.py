"""`linkner dead`: what ended without its result, to look at, to try again, or to take off the list."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkner.errors import InputError
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from workers.store.dead import DeadItem, PostgresDead, Ref

_BATCH = 500

Names = Annotated[list[str] | None, typer.Argument(help="Such as question:12 or document:7.")]
All = Annotated[bool, typer.Option("--all", help="Every one on the list.")]
Reason = Annotated[str | None, typer.Option(help="Only those with this reason.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    dead = typer.Typer(
        help="What ended without its result. Reads LINKNER_POSTGRES_URL, else the running `linkner up`.",
        no_args_is_help=True,
    )
    dead.command("list")(list_dead)
    dead.command()(show)
    dead.command()(replay)
    dead.command()(drop)
    app.add_typer(dead, name="dead")


def list_dead(
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, help="At most N, the latest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List them: questions (their spans were left to the local model), documents (they have no entities), and
    messages that no worker could use.

    Example: linkner dead list --reason attempts-exhausted
    """
    from workers.cli.tables import show as show_table

    items = _dead().listed(reason=reason, limit=limit)
    if as_json:
        for item in items:
            typer.echo(json.dumps(_as_json(item), ensure_ascii=False))
    elif items:
        show_table(_table(items))
    else:
        typer.echo("nothing is dead")


def show(name: Annotated[str, typer.Argument(help="Such as question:12.")], as_json: AsJson = False) -> None:
    """Show one with all that is known of it.

    Example: linkner dead show question:12
    """
    from workers.store.dead import Ref

    item = _dead().show(Ref.parse(name))
    if item is None:
        raise InputError("it is not dead, or not there", got=name, hint="`linkner dead list` names them")
    shown = _as_json(item)
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False))
    else:
        for field, value in shown.items():
            typer.echo(f"{field.replace('_', ' ')}: {value}")


def replay(names: Names = None, reason: Reason = None, everything: All = False) -> None:
    """Try them again, with all their attempts and a new deadline. Their documents get another revision.

    Messages need the broker, as LINKNER_BROKER_URL or LINKNER_REDIS_URL name it.

    Examples: `linkner dead replay question:12`; `linkner dead replay --reason deadline`
    """
    dead = _dead()

    def act(refs: Collection[Ref]) -> int:
        return dead.replay(refs, send=_send_again)

    done = _each(dead, act, names=names or [], reason=reason, everything=everything)
    typer.echo(f"{done:,} will be tried again")


def drop(names: Names = None, reason: Reason = None, everything: All = False) -> None:
    """Take them off the list. Their documents stay as they are; messages are gone.

    Example: linkner dead drop --reason no-llm
    """
    dead = _dead()
    done = _each(dead, dead.drop, names=names or [], reason=reason, everything=everything)
    typer.echo(f"{done:,} dropped")


def _each(
    dead: PostgresDead,
    act: Callable[[Collection[Ref]], int],
    *,
    names: list[str],
    reason: str | None,
    everything: bool,
) -> int:
    """Act on those that are named, or batch by batch on those listed now; how many it was."""
    from workers.store.dead import Ref

    if bool(names) + (reason is not None) + everything != 1:
        raise InputError("what is meant is not clear", expected="names, or --reason, or --all")
    if names:
        done = act([Ref.parse(name) for name in names])
        if not done:
            raise InputError("there is none", got=" ".join(names), hint="`linkner dead list` names them")
        return done
    now, done = datetime.now(UTC), 0
    while items := dead.listed(reason=reason, before=now, limit=_BATCH):
        done += act([item.ref for item in items])
    return done


def _send_again(queue: str, message: Any) -> None:
    """One connection a message: parked ones are few."""
    from broker.settings import load_settings
    from workers.bootstrap import publisher
    from workers.cli.state import broker_url

    settings = load_settings()
    sender = publisher(settings.model_copy(update={"broker_url": broker_url()}))
    try:
        sender.send_again(queue, message)
    finally:
        sender.close()


def _as_json(item: DeadItem) -> dict[str, Any]:
    return {
        "name": str(item.ref),
        "reason": item.reason,
        "last_error": item.last_error,
        "attempts": item.attempts,
        "ended_at": item.ended_at.isoformat(),
        "document": item.document_id,
        "source": item.source,
        "external_id": item.external_id,
        "text": item.text,
    }


def _table(items: list[DeadItem]) -> Table:
    from rich.table import Table

    table = Table(title="Dead")
    for column in ("name", "reason", "attempts", "ended"):
        table.add_column(column)
    for column in ("post or queue", "last error"):
        table.add_column(column, overflow="fold")
    for item in items:
        ended = f"{item.ended_at:%Y-%m-%d %H:%M:%S}"
        post = f"{item.source} {item.external_id or ''}"
        table.add_row(str(item.ref), item.reason, str(item.attempts), ended, post, item.last_error or "")
    return table


def _dead() -> PostgresDead:
    from workers.cli.state import postgres_url
    from workers.store.database import connect
    from workers.store.dead import PostgresDead

    return PostgresDead(connect(postgres_url(), pool_size=1))
