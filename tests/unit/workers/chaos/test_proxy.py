"""The proxy over links to an echoing server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from workers.chaos.proxy import TcpProxy, proxying


def echo(listener: socket.socket) -> None:
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo_link, args=(link,), daemon=True).start()


def _echo_link(link: socket.socket) -> None:
    with link:
        try:
            while data := link.recv(4096):
                link.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        with proxying(("127.0.0.1", listener.getsockname()[1])) as proxy:
            yield proxy
        listener.shutdown(socket.SHUT_RDWR)


def link(proxy: TcpProxy, timeout_s: float = 10.0) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s))


def is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_it_carries_both_ways(proxy: TcpProxy) -> None:
    with link(proxy) as one, link(proxy) as two:
        one.sendall(b"one")
        two.sendall(b"two")
        assert (one.recv(100), two.recv(100)) == (b"one", b"two")


def test_cut_ends_links_and_refuses_new_ones_until_healed(proxy: TcpProxy) -> None:
    with link(proxy) as old:
        old.sendall(b"x")
        assert old.recv(100) == b"x"
        proxy.cut()
        assert is_ended(old)
    with link(proxy) as refused:
        assert is_ended(refused)
    proxy.heal()
    with link(proxy) as new:
        new.sendall(b"x")
        assert new.recv(100) == b"x"


def test_a_half_open_link_carries_nothing_and_ends_when_healed(proxy: TcpProxy) -> None:
    with link(proxy, timeout_s=0.3) as stuck:
        proxy.half_open()
        stuck.sendall(b"x")
        with pytest.raises(TimeoutError):
            stuck.recv(100)
        proxy.heal()
        stuck.settimeout(10)
        assert is_ended(stuck)


def test_delay_holds_data_back(proxy: TcpProxy) -> None:
    with link(proxy) as slow:
        proxy.delay(0.1)
        start = time.monotonic()
        slow.sendall(b"x")
        assert slow.recv(100) == b"x"
        assert time.monotonic() - start >= 0.2  # there and back
