"""Runs the gateway until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ssl import PROTOCOL_TLS_SERVER, SSLContext

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


def tls_context(cert: str, key: str) -> SSLContext | None:
    """What to serve HTTPS with, from PEM files; None without them.

    Raises:
        ConfigurationError: only one of the two is given, or they cannot be used.
    """
    if not cert and not key:
        return None
    context = SSLContext(PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")  # an encrypted key must not ask at the terminal
    except OSError as error:
        raise ConfigurationError(
            "HTTPS cannot be served with this certificate and key",
            expected="PEM files in LINKNER_GATEWAY_TLS_CERT and LINKNER_GATEWAY_TLS_KEY that belong together",
            got=str(error),
        ) from error
    return context


def run(
    app: FastAPI, host: str, port: int, ready: Callable[[str], None], *, tls: SSLContext | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` gets the base URL once requests are taken.

    Port 0 takes a free one. With `tls` it is HTTPS.

    Raises:
        ConfigurationError: where the address cannot be listened on.
    """
    listener = _listen(host, port)
    scheme = "http" if tls is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    server(app, lambda: ready(url), tls=tls).run(sockets=[listener])


def server(app: FastAPI, ready: Callable[[], None], *, tls: SSLContext | None = None) -> Server:
    """The server of this app, not yet listening. It leaves logging to the process."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_context_factory=None if tls is None else lambda *_: tls,
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
