"""`linkner limits`: what LLM calls are limited by now, and other limits while everything runs."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.limits import MAX_LIMIT
from linkner.errors import ConfigurationError
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from broker.endpoints import Endpoint
    from broker.limits import LimiterState
    from broker.settings import Settings

_DEFAULT = "default"


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="The limits of LLM calls, which all callers share. Reads LINKNER_REDIS_URL, else that of the "
        "running `linkner up`, and LINKNER_LLM_*.",
        no_args_is_help=True,
    )
    group.command()(show)
    group.command("set")(set_limits)
    app.add_typer(group, name="limits")


BaseUrl = Annotated[
    str, typer.Option("--endpoint", help="Base URL of the endpoint, where there are several.")
]
ModelName = Annotated[str, typer.Option("--model", help="Its model, where an endpoint has several.")]


def show(as_json: AsJson = False) -> None:
    """Show each endpoint's limits, what is used of them, and whether its circuit breaker is open.

    A limit is what was set while running, else what is configured; what an endpoint's headers say can only
    lower it, for a minute.

    Example: linkner limits show --json
    """
    from workers.cli.tables import show as show_table

    looked = [(endpoint, limiter.state()) for endpoint, limiter in _limiters()]
    if as_json:
        typer.echo(json.dumps([_to_json(*one) for one in looked], default=str))
        return
    for endpoint, state in looked:
        show_table(_table(endpoint, state))


def set_limits(
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="0 is no limit.")],
    endpoint: BaseUrl = "",
    model: ModelName = "",
) -> None:
    """Set limits for all callers at once; `default` returns to what is configured.

    Names: requests_per_minute, tokens_per_minute, in_flight, money_per_hour, money_per_day.

    Examples:

    linkner limits set requests_per_minute=3000 tokens_per_minute=600000

    linkner limits set requests_per_minute=default --endpoint http://10.0.0.7:8000/v1
    """
    from broker.endpoints import chosen_endpoints

    wanted = dict(map(_change, changes))
    one = chosen_endpoints(_settings()).find(base_url=endpoint, model=model)
    limiter = next(limiter for found, limiter in _limiters() if found.name == one.name)
    limiter.override(wanted)
    typer.echo(json.dumps(_to_json(one, limiter.state()), default=str))


def _settings() -> Settings:
    """The settings. Raises ConfigurationError where they name no LLM."""
    from broker.settings import load_settings

    settings = load_settings()
    if not settings.has_llm:
        raise ConfigurationError(
            "no LLM endpoint is named",
            expected="LINKNER_LLM_BASE_URL and LINKNER_LLM_MODEL, or LINKNER_LLM_ENDPOINTS",
            hint="set them here as the LLM callers, or `linkner up`, were given them",
        )
    return settings


def _limiters() -> list[tuple[Endpoint, Any]]:
    from broker.endpoints import chosen_endpoints
    from workers.bootstrap_llm import limiters
    from workers.cli.state import redis_url

    settings = _settings()
    found = limiters(settings.model_copy(update={"redis_url": settings.redis_url or redis_url()}))
    return [(endpoint, found[endpoint.name]) for endpoint in chosen_endpoints(settings).all]


def _change(text: str) -> tuple[str, int | Decimal | None]:
    name, equals, value = text.partition("=")
    if value == _DEFAULT:
        return name, None
    try:
        number = Decimal(value)
        is_whole = number == number.to_integral_value()
    except (InvalidOperation, OverflowError):
        number, is_whole = Decimal("nan"), False
    usable = number.is_finite() and abs(number) <= MAX_LIMIT and (is_whole or name.startswith("money"))
    if not equals or not usable:
        raise ConfigurationError(
            "a limit cannot be read",
            expected=f"NAME=NUMBER or NAME={_DEFAULT}, whole but for money",
            got=text,
        )
    return name, number if name.startswith("money") else int(number)


def _to_json(endpoint: Endpoint, state: LimiterState) -> dict[str, Any]:
    from dataclasses import asdict

    said = {name: value for name, value in asdict(state.said).items() if value is not None}
    rest = asdict(state)
    return {
        "endpoint": endpoint.url,
        "model": endpoint.model,
        "configured": asdict(endpoint.limits),
        "set": dict(state.overrides),
        "said": said,
        "limits": rest["limits"],
        **{name: rest[name] for name in ("in_flight", "spent_hour", "spent_day", "breaker")},
        "open_s": round(state.open_s, 3),
        "hold_s": round(state.hold_s, 3),
    }


def _table(endpoint: Endpoint, state: LimiterState) -> Table:
    from dataclasses import asdict

    from rich.table import Table

    used = {
        "in_flight": state.in_flight,
        "money_per_hour": state.spent_hour,
        "money_per_day": state.spent_day,
    }
    until = f", for {state.open_s:.1f} s" if state.open_s else ""
    held = f"; held for {state.hold_s:.1f} s" if state.hold_s else ""
    table = Table(
        title=f"{endpoint.model} at {endpoint.url}", caption=f"breaker {state.breaker}{until}{held}"
    )
    for column in ("limit", "configured", "set", "said", "holds", "used"):
        table.add_column(column, justify="left" if column == "limit" else "right")
    said = asdict(state.said)
    for name, configured in asdict(endpoint.limits).items():
        cells = (configured or None, state.overrides.get(name), said.get(name))
        holds = getattr(state.limits, name) or "none"
        table.add_row(
            name, *("" if cell is None else f"{cell}" for cell in cells), f"{holds}", f"{used.get(name, '')}"
        )
    return table
