"""TLS and passwords by URL for Redis, RabbitMQ and PostgreSQL: verified, or no connection at all.

The servers speak plain on this machine; a proxy before each of them ends the TLS.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis
import trustme
from sqlalchemy import make_url

from broker.publisher import Publisher
from broker.queues import CLASSIFY, celery_app, declared_queues
from broker.redis_client import connect as connect_redis
from broker.settings import Settings
from broker.tls import verified
from linkner.errors import ConfigurationError, LinknerError, UnavailableError
from workers.chaos.proxy import Address, TcpProxy, proxying
from workers.store.database import connect as connect_postgres
from workers.store.reader import PostgresReader

PASSWORD = "pass-word"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate, as a client trusts it."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of another authority."""
    path = tmp_path_factory.mktemp("tls") / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def context(authority: trustme.CA, name: str, *protocols: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


@pytest.fixture(params=["localhost", "elsewhere.example"])
def name(request: pytest.FixtureRequest) -> str:
    """The host that the server's certificate is for; clients ask for localhost."""
    return str(request.param)


def address(url: str, default_port: int) -> Address:
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        return Path(unquote(parts.path))
    return str(parts.hostname), parts.port or default_port


class TestRedis:
    @pytest.fixture
    def proxy(self, authority: trustme.CA, name: str, redis_url: str) -> Iterator[TcpProxy]:
        """Redis behind TLS, with a user who has a password."""
        with redis.Redis.from_url(redis_url.replace("redis+socket://", "unix://")) as admin:
            admin.acl_setuser(
                "tls", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all"]
            )
            with proxying(address(redis_url, 6379), tls=context(authority, name)) as proxy:
                yield proxy
            admin.acl_deluser("tls")

    @pytest.mark.parametrize("trust", ["trusted", "untrusted"])
    @pytest.mark.parametrize("password", [PASSWORD, "wrong"])
    def test_limiter_and_broker(
        self,
        proxy: TcpProxy,
        name: str,
        trust: str,
        password: str,
        redis_prefix: str,
        request: pytest.FixtureRequest,
    ) -> None:
        ca = request.getfixturevalue(trust)
        url = f"rediss://tls:{password}@localhost:{proxy.port}/0?ssl_ca_certs={ca}"
        works = (name, trust, password) == ("localhost", "trusted", PASSWORD)
        client = connect_redis(url)
        publisher = _publisher(Settings(broker_url=url, key_prefix=redis_prefix))
        if works:
            assert client.ping()
            publisher.send(CLASSIFY, [1])
            assert publisher.depth(CLASSIFY) == 1
        else:
            with pytest.raises((redis.ConnectionError, redis.AuthenticationError)):
                client.ping()
            with pytest.raises(UnavailableError) as caught:
                publisher.send(CLASSIFY, [1])
            assert password not in _all_of(caught.value)
        publisher.close()


class TestRabbitMq:
    @pytest.mark.parametrize("trust", ["trusted", "untrusted"])
    def test_broker(
        self,
        authority: trustme.CA,
        name: str,
        trust: str,
        rabbitmq_url: str,
        redis_prefix: str,
        request: pytest.FixtureRequest,
    ) -> None:
        ca = request.getfixturevalue(trust)
        parts = urlsplit(rabbitmq_url)
        with proxying(address(rabbitmq_url, 5672), tls=context(authority, name)) as proxy:
            login = f"{parts.username}:{parts.password}"
            url = f"amqps://{login}@localhost:{proxy.port}{parts.path}?cacertfile={ca}"
            settings = Settings(broker_url=url, key_prefix=redis_prefix)
            publisher = _publisher(settings)
            if (name, trust) == ("localhost", "trusted"):
                publisher.send(CLASSIFY, [1])
                assert publisher.depth(CLASSIFY) == 1
                with celery_app(settings).connection_for_write() as connection:
                    declared_queues(settings)[CLASSIFY](connection.default_channel).delete()
            else:
                with pytest.raises(UnavailableError):
                    publisher.send(CLASSIFY, [1])
            publisher.close()

    def test_other_options_are_refused_without_showing_the_url(self) -> None:
        with pytest.raises(ConfigurationError, match="verify") as caught:
            verified("amqps://user:hush@localhost/?verify=verify_none")
        assert "hush" not in str(caught.value)


class TestPostgres:
    @pytest.mark.parametrize("trust", ["trusted", "untrusted"])
    def test_store(
        self,
        authority: trustme.CA,
        name: str,
        trust: str,
        database_url: str,
        request: pytest.FixtureRequest,
    ) -> None:
        given = make_url(database_url)
        host = str(given.query.get("host", given.host))
        where: Address = Path(host) / ".s.PGSQL.5432" if host.startswith("/") else (host, given.port or 5432)
        with proxying(where, tls=context(authority, name, "postgresql")) as proxy:
            query = {
                "sslmode": "verify-full",
                "sslnegotiation": "direct",
                "sslrootcert": str(request.getfixturevalue(trust)),
            }
            url = given.set(host="localhost", port=proxy.port, query=query)
            engine = connect_postgres(url.render_as_string(hide_password=False))
            if (name, trust) == ("localhost", "trusted"):
                PostgresReader(engine).ping()
            else:
                with pytest.raises(UnavailableError, match="certificate"):
                    PostgresReader(engine).ping()
            engine.dispose()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost/0", "redis://localhost/0"),
        ("rediss://localhost/0", "rediss://localhost/0?ssl_cert_reqs=required"),
        ("rediss://localhost/0?ssl_cert_reqs=none", "rediss://localhost/0?ssl_cert_reqs=none"),
    ],
)
def test_certificates_are_verified_unless_the_url_says_otherwise(url: str, expected: str) -> None:
    assert verified(url) == (expected, None)


def _publisher(settings: Settings) -> Publisher:
    return Publisher(celery_app(settings), declared_queues(settings))


def _all_of(error: BaseException | None) -> str:
    """The messages of an error and its causes."""
    texts = []
    while error is not None:
        texts.append(f"{error} {error.hint if isinstance(error, LinknerError) else ''}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)
