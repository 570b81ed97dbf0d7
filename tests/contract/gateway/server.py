"""A gateway on a free port, and a client that holds every answer against the gateway's own description."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from workers.gateway.server import server


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of the app, which runs on a real socket until the end."""
    ready = threading.Event()
    running = server(app, ready.set)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert ready.wait(20)
        check = Described(app.openapi())
        with httpx.Client(base_url=url, event_hooks={"response": [check]}, timeout=20) as client:
            yield client
    finally:
        running.should_exit = True
        thread.join(20)


class Described:
    """Fails where an answer is not as the OpenAPI document says."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._routes = [
            (re.compile(re.sub(r"\{\w+\}", r"[^/]+", path)), methods)
            for path, methods in document["paths"].items()
        ]

    def __call__(self, response: httpx.Response) -> None:
        response.read()
        [methods] = [found for path, found in self._routes if path.fullmatch(response.request.url.path)]
        described = methods[response.request.method.lower()]["responses"][str(response.status_code)]
        if response.headers["content-type"] == "application/json":
            schema = described["content"]["application/json"]["schema"]
            Draft202012Validator({**schema, "components": self._components}).validate(response.json())
