"""Reads request bodies within bounds: bytes of one, seconds for one, and how many are held at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.requests import ClientDisconnect

from workers.gateway.problems import RETRY_AFTER_S, Problem, Refusal


class Upload(Protocol):
    """What is read of a request."""

    @property
    def headers(self) -> Headers: ...

    def stream(self) -> AsyncIterator[bytes]: ...


class Headers(Protocol):
    """A request's headers, by name in any case."""

    def get(self, key: str, default: str) -> str: ...


class Bodies:
    """The bodies that the gateway holds now. Belongs to one event loop."""

    def __init__(self, *, max_bytes: int, max_held: int = 32, timeout_s: float = 30.0) -> None:
        self._max_bytes, self._max_held, self._timeout_s = max_bytes, max_held, timeout_s
        self._held = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep room for one body while it is read and worked on. Refuses with 429 where there is none."""
        if self._held >= self._max_held:
            raise Refusal(
                429,
                Problem("too many requests are being taken", expected=f"at most {self._max_held} at once"),
                retry_after_s=RETRY_AFTER_S,
            )
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    async def read(self, request: Upload) -> bytes:
        """The whole body. Refuses with 413, 415 (compressed) or 408 as soon as it is known."""
        self._check_headers(request)
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise Refusal(
                408, Problem("the body came too slowly", expected=f"all of it in {self._timeout_s:g} s")
            ) from None
        except ClientDisconnect:
            raise Refusal(400, Problem("the connection closed before the end of the body")) from None
        return bytes(body)

    def _check_headers(self, request: Upload) -> None:
        encoding = request.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise Refusal(415, Problem("a compressed body cannot be read", expected="no Content-Encoding"))
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            Problem(
                "the body is too large",
                expected=f"at most {self._max_bytes} bytes",
                hint="send the posts in several requests",
            ),
        )
