"""API keys at the gateway, over the fake and over PostgreSQL; and the commands that make them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from broker.settings import Settings
from linkner.errors import InputError
from tests.contract.gateway.server import serving
from tests.fakes.clock import FakeClock
from tests.fakes.keys import FakeKeys
from tests.fakes.store import FakeStore
from workers.bootstrap import limits
from workers.cli import app
from workers.gateway.access import KNOWN_FOR_S
from workers.gateway.app import create_app
from workers.ports import Scope
from workers.store import keys as keys_module
from workers.store.keys import PREFIX, PostgresKeys

ROUTES: dict[Scope, tuple[str, str]] = {
    "submit": ("POST", "/v1/documents"),
    "read": ("GET", "/v1/feed"),
    "admin": ("GET", "/v1/status"),
}


@dataclass
class World:
    """A gateway that wants keys, and the clock by which it remembers them."""

    keys: Any
    clock: FakeClock
    client: httpx.Client

    def key(self, name: str, *scopes: Scope, posts_per_minute: int | None = None) -> str:
        made: str = self.keys.create(name, scopes=scopes, posts_per_minute=posts_per_minute)
        return made

    def ask(self, method: str, path: str, key: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        body: Any = [{"source": "test", "external_id": "1", "text": "hello"}] if method == "POST" else None
        return self.client.request(method, path, json=body, headers=headers)

    def submit(self, key: str, posts: int) -> httpx.Response:
        body = [{"source": "test", "external_id": str(number), "text": "hello"} for number in range(posts)]
        return self.client.post("/v1/documents", json=body, headers={"authorization": f"Bearer {key}"})


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    clock = FakeClock()
    store = FakeStore(clock)
    keys = FakeKeys(clock) if request.param == "fake" else PostgresKeys(request.getfixturevalue("engine"))
    settings = Settings()
    gateway = create_app(
        store=store,
        reader=store,
        settings=settings,
        limits=limits(settings),
        queues=None,
        keys=keys,
        clock=clock,
    )
    with serving(gateway) as client:
        yield World(keys, clock, client)


@pytest.mark.parametrize("scope", ROUTES)
def test_a_key_allows_what_its_scope_says_and_nothing_else(world: World, scope: Scope) -> None:
    key = world.key("one", scope)
    answers = {other: world.ask(*route, key).status_code for other, route in ROUTES.items()}
    allowed = answers.pop(scope)
    assert allowed in {200, 202}
    assert set(answers.values()) == {403}


@pytest.mark.parametrize("route", [*ROUTES.values(), ("GET", "/metrics"), ("GET", "/v1/documents/1")])
@pytest.mark.parametrize("key", ["", "lnk_unheard-of"])
def test_without_a_valid_key_everything_but_health_is_refused(
    world: World, key: str, route: tuple[str, str]
) -> None:
    answer = world.ask(*route, key)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert world.ask("GET", "/healthz").status_code == 200
    assert world.ask("GET", "/readyz").status_code == 200


def test_a_revoked_key_is_refused_within_seconds(world: World) -> None:
    key = world.key("one", "read")
    assert world.ask(*ROUTES["read"], key).status_code == 200
    assert world.keys.revoke("one")
    world.clock.sleep(KNOWN_FOR_S + 1)
    assert world.ask(*ROUTES["read"], key).status_code == 401


def test_posts_above_the_quota_are_told_when_to_come_again(world: World) -> None:
    key = world.key("one", "submit", posts_per_minute=2)
    assert world.submit(key, 4).status_code == 202, "the first batch may go into debt"
    answer = world.submit(key, 1)
    assert answer.status_code == 429
    assert 60 < int(answer.headers["retry-after"]) <= 120
    assert world.submit(world.key("another", "submit", posts_per_minute=2), 1).status_code == 202


def test_a_key_without_quota_is_never_told_to_wait(world: World) -> None:
    key = world.key("one", "submit")
    assert [world.submit(key, 100).status_code for _ in range(3)] == [202] * 3


def test_open_to_this_machine_means_its_own_names_alone() -> None:
    store = FakeStore(FakeClock())
    settings = Settings()
    gateway = create_app(
        store=store,
        reader=store,
        settings=settings,
        limits=limits(settings),
        queues=None,
        keys=None,
        clock=FakeClock(),
    )
    with serving(gateway) as client:
        for host in ("localhost:80", "127.0.0.1", "[::1]:8080", "linkner.localhost"):
            assert client.get("/v1/feed", headers={"host": host}).status_code == 200
        for host in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1"):
            assert client.get("/v1/feed", headers={"host": host}).status_code == 403


class TestStored:
    @pytest.fixture
    def keys(self, engine: Engine) -> PostgresKeys:
        return PostgresKeys(engine)

    def test_only_a_digest_is_kept(self, keys: PostgresKeys, engine: Engine) -> None:
        key = keys.create("one", scopes=["read"], posts_per_minute=None)
        assert key.startswith(PREFIX)
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT api_keys::text FROM api_keys")).scalars().all()
        assert not any(key in row or key.removeprefix(PREFIX) in row for row in rows)
        found = keys.find(key)
        assert found is not None
        assert (found.name, found.scopes) == ("one", {"read"})
        assert keys.find(key + "x") is None

    def test_a_name_is_given_once(self, keys: PostgresKeys) -> None:
        keys.create("one", scopes=["read"], posts_per_minute=None)
        keys.revoke("one")
        with pytest.raises(InputError, match="of that name"):
            keys.create("one", scopes=["read"], posts_per_minute=None)

    def test_what_was_saved_up_is_at_most_a_minute(self, keys: PostgresKeys, engine: Engine) -> None:
        keys.create("one", scopes=["submit"], posts_per_minute=60)
        with engine.begin() as connection:
            connection.execute(text("UPDATE api_keys SET paid_until = now() - interval '1 hour'"))
        (key,) = keys.listed()
        assert keys.charge(key.key_id, posts=59) == 0.0
        assert keys.charge(key.key_id, posts=61) == 0.0
        assert 50.0 < keys.charge(key.key_id, posts=1) <= 60.0

    def test_switched_off_the_quota_takes_everything(
        self, keys: PostgresKeys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            keys_module, "CHARGE", text(keys_module.CHARGE.text.replace("AND paid_until <= now()", ""))
        )
        keys.create("one", scopes=["submit"], posts_per_minute=1)
        (key,) = keys.listed()
        assert [keys.charge(key.key_id, posts=10) for _ in range(3)] == [0.0] * 3


class TestCommands:
    @pytest.fixture(autouse=True)
    def _environment(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)

    def run(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, ["keys", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def test_create_list_revoke(self, engine: Engine) -> None:
        options = ("--scope", "read", "--scope", "submit", "--posts-per-minute", "60")
        key = self.run("create", "crawler-1", *options).strip()
        found = PostgresKeys(engine).find(key)
        assert found is not None
        assert (found.scopes, found.posts_per_minute) == ({"read", "submit"}, 60)
        (listed,) = map(json.loads, self.run("list", "--json").splitlines())
        assert (listed["name"], listed["scopes"], listed["revoked_at"]) == (
            "crawler-1",
            ["read", "submit"],
            None,
        )
        assert key not in self.run("list")
        self.run("revoke", "crawler-1")
        assert PostgresKeys(engine).find(key) is None
        with pytest.raises(InputError, match="no such key"):
            self.run("revoke", "crawler-1")

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["create", "bad name", "--scope", "read"], "name cannot be used"),
            (["create", "one", "--scope", "all"], "unknown scope"),
        ],
    )
    def test_bad_input_is_one_clear_error(self, arguments: list[str], problem: str) -> None:
        with pytest.raises(InputError, match=problem):
            self.run(*arguments)


@pytest.mark.parametrize(
    ("host", "keys", "needed"),
    [
        ("127.0.0.1", "auto", False),
        ("::1", "auto", False),
        ("localhost", "auto", False),
        ("0.0.0.0", "auto", True),
        ("::", "auto", True),
        ("gateway.example", "auto", True),
        ("0.0.0.0", "off", False),
        ("127.0.0.1", "required", True),
    ],
)
def test_keys_are_needed_by_default_where_others_reach_the_gateway(
    host: str, keys: str, needed: bool
) -> None:
    assert Settings(gateway_host=host, gateway_keys=keys).needs_keys is needed
