"""A TCP proxy that can cut, delay and half-open the links through it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from ssl import SSLContext

_CHUNK = 65_536

Address = Path | tuple[str, int]
"""A Unix socket, or a host and port."""


class TcpProxy:
    """Links to one target through a port of the loopback interface. `proxying` starts and stops it.

    With `tls` the links are TLS up to here and plain behind. All methods may be called from any thread.
    """

    def __init__(self, target: Address, *, tls: SSLContext | None = None) -> None:
        self._target, self._tls = target, tls
        self._loop = asyncio.new_event_loop()
        self._links: set[asyncio.Task[None]] = set()
        self._is_cut = False
        self._delay_s = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every link, and each new one at once, until `heal`."""
        self._is_cut = True
        self._call(self._end_links)

    def delay(self, seconds: float) -> None:
        """Hold each piece of data back for so long, until `heal`."""
        self._delay_s = seconds

    def half_open(self) -> None:
        """Let links stand but carry nothing, as where the other machine is gone, until `heal`."""
        self._call(self._flowing.clear)

    def heal(self) -> None:
        """Carry as before. Links that were half-open end: the other side has forgotten them."""
        was_half_open = not self._flowing.is_set()
        self._is_cut, self._delay_s = False, 0.0
        if was_half_open:
            self._call(self._end_links)
        self._call(self._flowing.set)

    def run(self) -> None:
        """Serve until `stop`; blocks."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(
            asyncio.start_server(self._link, sock=self._listener, ssl=self._tls, backlog=512)
        )
        self._loop.run_forever()
        self._loop.run_until_complete(self._finish())
        self._loop.close()

    def stop(self) -> None:
        """End every link, then `run`."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _call(self, action: object) -> None:
        self._loop.call_soon_threadsafe(action)  # type: ignore[arg-type]

    def _end_links(self) -> None:
        for link in self._links:
            link.cancel()

    async def _finish(self) -> None:
        self._end_links()
        await asyncio.gather(*self._links, return_exceptions=True)
        self._listener.close()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        opened = [writer]
        try:
            if not self._is_cut:
                far_reader, far_writer = await self._connect()
                opened.append(far_writer)
                # The end of one direction ends the link: no protocol here goes on with one.
                pipes = {
                    asyncio.ensure_future(self._pipe(reader, far_writer)),
                    asyncio.ensure_future(self._pipe(far_reader, writer)),
                }
                try:
                    await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pipe in pipes:
                        pipe.cancel()
                    await asyncio.gather(*pipes, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._links.discard(link)
            for end in opened:
                end.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection(*self._target)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._flowing.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                sink.write(data)
                await sink.drain()


@contextmanager
def proxying(target: Address, *, tls: SSLContext | None = None) -> Iterator[TcpProxy]:
    """A proxy to the target for the time of the block."""
    proxy = TcpProxy(target, tls=tls)
    thread = threading.Thread(target=proxy.run, name="proxy", daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
