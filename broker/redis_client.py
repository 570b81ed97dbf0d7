"""One way to reach Redis: from a URL, with time limits on every socket operation."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from linkner.errors import ConfigurationError

SCHEMES = ("redis", "rediss", "unix", "redis+socket")

SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
HEALTH_CHECK_S = 25


def connect(url: str, *, connections: int = 32) -> redis.Redis:
    """A client for `url`: redis://, rediss:// (TLS), unix:// or kombu's redis+socket://.

    As many threads as there are `connections` may use it at once. Nothing is sent yet: a server that is down
    shows at the first command. A command whose connection breaks is repeated once over a new one, so that a
    restarted server goes unnoticed; one that only takes too long is not, for it may yet be carried out.

    Raises:
        ConfigurationError: the URL cannot be used. No message shows the URL, which may hold a password.
    """
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise _unusable("its scheme is not known")
    try:
        client = redis.Redis.from_url(
            _unix(url) if scheme == "redis+socket" else url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            health_check_interval=HEALTH_CHECK_S,
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            max_connections=connections,
        )
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # refuses options that it does not know
    except (ValueError, TypeError):
        # from None: the cause's message may quote a part of the URL
        raise _unusable("its host, port or options cannot be read") from None
    return client


def _unix(url: str) -> str:
    """kombu's redis+socket URL in redis-py's words: `virtual_host` is the database's number."""
    path, mark, options = url.removeprefix("redis+socket").partition("?")
    return "unix" + path + mark + options.replace("virtual_host=", "db=")


def _unusable(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the Redis URL cannot be used: {why}",
        expected="redis://[:password@]host:port/0, rediss://…, unix:///path?db=0 or redis+socket:///path",
    )
