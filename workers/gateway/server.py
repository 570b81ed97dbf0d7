"""Runs the gateway until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from linkner.errors import ConfigurationError

SHUTDOWN_S = 20
"""How long requests under way may take after SIGTERM; a post not answered by then is sent again."""


class Server(uvicorn.Server):
    """Says when it is listening."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def run(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` gets the base URL once requests are taken.

    Port 0 takes a free one.

    Raises:
        ConfigurationError: where the address cannot be listened on.
    """
    listener = _listen(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    server(app, lambda: ready(url)).run(sockets=[listener])


def server(app: FastAPI, ready: Callable[[], None]) -> Server:
    """The server of this app, not yet listening. It leaves logging to the process."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return Server(config, ready)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigurationError(
            f"the gateway cannot listen on {host}:{port}",
            got=str(error),
            hint="choose another LINKNER_GATEWAY_PORT, or 0 for a free one",
        ) from error
