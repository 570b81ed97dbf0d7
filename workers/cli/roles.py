"""One process each: `gateway`, `relay`, `worker`, `batcher`, and `migrate` before them."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(gateway)
    app.command()(relay)
    app.command()(batcher)
    app.command()(worker)
    app.command()(migrate)


class Level(StrEnum):
    """What is logged: all of this level and above."""

    debug = "DEBUG"
    info = "INFO"
    warning = "WARNING"
    error = "ERROR"
    critical = "CRITICAL"


LogLevel = Annotated[Level, typer.Option(case_sensitive=False, help="Log this and what is worse.")]


def gateway(
    host: Annotated[str, typer.Option(help="Address to listen on. [default: LINKNER_GATEWAY_HOST]")] = "",
    port: Annotated[
        int,
        typer.Option(help="Port; 0 takes a free one. [default: LINKNER_GATEWAY_PORT]", show_default=False),
    ] = -1,
    log_level: LogLevel = Level.info,
) -> None:
    """Run the HTTP front door.

    Where others than this machine can reach it, requests need an API key (`linkner keys create`), and
    LINKNER_GATEWAY_TLS_CERT and LINKNER_GATEWAY_TLS_KEY, or a proxy before it, keep the key secret.

    Example: LINKNER_POSTGRES_URL=postgresql://… LINKNER_REDIS_URL=redis://… linkner gateway --port 8080
    """
    from broker.settings import load_settings
    from workers.bootstrap import gateway_app
    from workers.gateway.server import run, tls_context

    _log(log_level)
    settings = load_settings()
    settings = settings.model_copy(update={"gateway_host": host or settings.gateway_host})
    run(
        gateway_app(settings),
        host=settings.gateway_host,
        port=settings.gateway_port if port < 0 else port,
        ready=lambda url: typer.echo(f"listening on {url}"),
        tls=tls_context(settings.gateway_tls_cert, settings.gateway_tls_key),
    )


def relay(log_level: LogLevel = Level.info) -> None:
    """Run the relay, which moves due work from PostgreSQL to the queues. Several may run at once.

    Example: LINKNER_POSTGRES_URL=postgresql://… LINKNER_REDIS_URL=redis://… linkner relay
    """
    from broker.settings import load_settings
    from workers.bootstrap import relay as build
    from workers.relay import run_relay

    _log(log_level)
    settings = load_settings()
    run_relay(build(settings), heartbeat_file=settings.heartbeat_file)


def batcher(log_level: LogLevel = Level.info) -> None:
    """Ask the questions of the batch lane, through the LLM's batch API. Of several, one works at a time.

    Example: LINKNER_LLM_BASE_URL=https://api.openai.com/v1 LINKNER_LANE=batch linkner batcher
    """
    from broker.settings import load_settings
    from workers.batcher import run_batcher
    from workers.bootstrap import batcher as build

    _log(log_level)
    settings = load_settings()
    batching, only_one = build(settings)
    run_batcher(
        batching,
        may_work=only_one.is_held,
        poll_s=settings.batch_poll_s,
        heartbeat_file=settings.heartbeat_file,
    )


def worker(
    queues: Annotated[list[str], typer.Argument(help="Any of: ingest recognise classify aggregate.")],
    log_level: LogLevel = Level.info,
) -> None:
    """Run a worker on one or more queues; start as many of these processes as the load needs.

    Examples: `linkner worker classify` is one LLM caller; `linkner worker ingest aggregate` does both.
    """
    from broker.settings import load_settings
    from broker.worker import consume
    from workers.bootstrap import messages_at_once, worker_app

    _log(log_level)
    settings = load_settings()
    app, at_once = worker_app(settings, queues), messages_at_once(queues, settings)
    raise typer.Exit(consume(app, queues, settings=settings, at_once=at_once, log_level=log_level.value))


def migrate() -> None:
    """Bring the database schema up to date. Safe to run at any time and by several at once.

    Example: LINKNER_POSTGRES_URL=postgresql://… linkner migrate
    """
    from broker.settings import load_settings
    from workers.store.migrating import migrate as bring_up_to_date

    settings = load_settings()
    settings.require("postgres_url")
    bring_up_to_date(settings.postgres_url)
    typer.echo("the schema is up to date")


def _log(level: Level) -> None:
    logging.basicConfig(level=level.value, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line a call or a task is too much at full speed; what fails is logged by the tasks themselves.
    for noisy in ("httpx", "httpx2", "httpcore", "openai", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns, queue by queue, that Celery's ETA would not work; nothing here uses one.
    logging.getLogger("kombu.transport.native_delayed_delivery").setLevel(logging.ERROR)
