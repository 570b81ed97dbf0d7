"""Redis URLs: what is accepted, what is refused, and that no message shows a password."""

from __future__ import annotations

import traceback

import pytest
import redis

from broker.redis_client import connect
from linkner.errors import ConfigurationError


def options(url: str) -> dict[str, object]:
    return connect(url).connection_pool.connection_kwargs


def test_a_tcp_url_gives_host_port_database_and_password() -> None:
    found = options("redis://:secret@example.org:6380/3")
    assert (found["host"], found["port"], found["db"], found["password"]) == (
        "example.org",
        6380,
        3,
        "secret",
    )


def test_rediss_means_tls() -> None:
    assert connect("rediss://example.org").connection_pool.connection_class is redis.SSLConnection


@pytest.mark.parametrize(
    "url", ["unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"]
)
def test_both_forms_of_a_unix_socket_mean_the_same(url: str) -> None:
    client = connect(url)
    assert client.connection_pool.connection_class is redis.UnixDomainSocketConnection
    assert client.connection_pool.connection_kwargs["path"] == "/run/redis.sock"
    assert client.connection_pool.connection_kwargs["db"] == 2


def test_as_many_connections_as_are_asked_for() -> None:
    assert connect("redis://example.org", connections=250).connection_pool.max_connections == 250


def test_every_operation_has_a_time_limit() -> None:
    found = options("redis://example.org")
    assert 0 < found["socket_timeout"] <= 10
    assert 0 < found["socket_connect_timeout"] <= 10
    assert found["health_check_interval"] > 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "http://:secret@example.org",
        "redis:secret",
        "redis://:secret@example.org:port",
        "redis://:secret@example.org?db=secret",
        "redis://:secret@example.org?secret=1",
        "redis+socket:///run/redis.sock?secret=1",
    ],
)
def test_anything_else_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis URL") as caught:
        connect(url)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
