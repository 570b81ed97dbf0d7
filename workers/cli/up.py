"""`linkner up`: the whole stack on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path
from shlex import quote
from threading import Event
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where data and logs are kept. [default: LINKNER_FOLDER, else ~/.local/state/linkner]"
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gateway's port; 0 takes a free one.")] = 0,
    callers: Annotated[int, typer.Option(min=1, help="LLM caller processes.")] = 1,
    recognisers: Annotated[int, typer.Option(min=1, help="Recognise worker processes.")] = 1,
    replicas: Annotated[int, typer.Option(min=1, help="Replicas of the local model.")] = 1,
    model: Annotated[Path | None, typer.Option(help="Checkpoint folder. [default: the one shipped]")] = None,
) -> None:
    """Run the whole stack: embedded PostgreSQL and Redis, or those that the environment names.

    LINKNER_POSTGRES_URL, LINKNER_REDIS_URL and LINKNER_BROKER_URL replace the embedded servers;
    LINKNER_LLM_BASE_URL, LINKNER_LLM_MODEL and OPENAI_API_KEY name the LLM. A process that dies is started
    again, and that is said here. Ctrl-C stops everything; the data stay.

    Several stacks run side by side, each with a --folder of its own. The other commands work on the one whose
    folder LINKNER_FOLDER names.

    Example: LINKNER_LLM_BASE_URL=http://127.0.0.1:11434/v1 LINKNER_LLM_MODEL=llama3 linkner up --port 8080
    """
    from broker.settings import load_settings
    from workers.cli.progress import Steps
    from workers.cli.state import announce, state_folder, withdraw
    from workers.stack.stack import Shape, running_stack

    settings = load_settings()
    home = (folder or state_folder()).absolute()
    shape = Shape(
        llm_callers=callers,
        batcher=settings.has_llm,
        recognise_workers=recognisers,
        replicas=replicas,
        model=model,
        gateway_port=port,
    )
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        Steps() as steps,
        running_stack(settings, folder=home, shape=shape, report=steps.say, died=steps.say) as stack,
    ):
        # What the environment names may have a password in its URL, which stays there.
        announce(
            home,
            gateway_url=stack.gateway_url,
            postgres_url="" if settings.postgres_url else stack.env["LINKNER_POSTGRES_URL"],
            broker_url="" if settings.broker else stack.env["LINKNER_BROKER_URL"],
            redis_url="" if settings.redis_url else stack.env["LINKNER_REDIS_URL"],
        )
        steps.say(f"ready: POST posts to {stack.gateway_url}/v1/documents, or `linkner submit FILE`")
        if home != state_folder().absolute():
            steps.say(
                f"in other terminals, for commands to find it: export LINKNER_FOLDER={quote(str(home))}"
            )
        steps.say(f"data and logs are in {home}; Ctrl-C stops the stack")
        if not settings.has_llm:
            steps.say("no LLM is configured: documents finish with the local model's labels")
        stopping.wait()
        steps.say("stopping")
        withdraw(home)
