"""`linkner serve`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from workers.cli.model.options import Model, UncertaintyOverride


def serve(
    model: Model = None,
    uncertainty: UncertaintyOverride = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    replicas: Annotated[
        int, typer.Option(min=1, max=64, help="Processes with a model; they share the cores.")
    ] = 1,
    max_queued: Annotated[
        int, typer.Option(min=1, help="Requests that may wait; any more are told to come later (503).")
    ] = 16,
) -> None:
    """Run the recognition service: the local model behind HTTP, on Ray Serve, until SIGTERM or Ctrl-C.

    Prints one JSON line with `base_url` once it answers. `POST /recognise` takes chunks of posts,
    `GET /healthz` names the model.

    Examples:

    linkner serve --port 8000 --replicas 2

    curl -d '{"v": 1, "texts": ["Spending the weekend in Lisbon"]}' http://127.0.0.1:8000/recognise
    """
    from trainer.service import checkpoint_loader, run_service

    run_service(
        checkpoint_loader(model, replicas=replicas, uncertainty=uncertainty.value if uncertainty else None),
        host=host,
        port=port,
        replicas=replicas,
        max_queued=max_queued,
        ready=lambda url: typer.echo(json.dumps({"base_url": url})),
    )
