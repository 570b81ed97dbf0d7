"""Passwords and keys are in no log, error, metric or process list, whether servers answer or not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, make_url

from broker.settings import Settings
from tests.support.waiting import wait_until
from workers.stack.guarded import GuardedProcess
from workers.store.keys import PostgresKeys

POSTGRES, REDIS, RABBITMQ, LLM = "pg-5ecret", "redis-5ecret", "rabbit-5ecret", "llm-5ecret"
GATEWAY = "lnk_gateway-5ecret"
SECRETS = (POSTGRES, REDIS, RABBITMQ, LLM, GATEWAY)
LINKNER = [sys.executable, "-m", "workers.cli"]
SERVICES = (
    ("relay", "--log-level", "DEBUG"),
    ("worker", "classify", "--log-level", "DEBUG"),
    ("worker", "ingest", "aggregate", "--log-level", "DEBUG"),
    ("gateway", "--port", "0", "--log-level", "DEBUG"),
)
COMMANDS = (("migrate",), ("dead", "list"), ("keys", "list"), ("submit", "-"), ("results",), ("status",))


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port where nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def environment(port: int, **changes: str) -> dict[str, str]:
    servers = {
        "LINKNER_POSTGRES_URL": f"postgresql://linkner:{POSTGRES}@127.0.0.1:{port}/linkner",
        "LINKNER_REDIS_URL": f"redis://:{REDIS}@127.0.0.1:{port}/0",
        "LINKNER_BROKER_URL": f"redis://:{REDIS}@127.0.0.1:{port}/0",
        "LINKNER_LLM_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "LINKNER_GATEWAY_URL": f"http://127.0.0.1:{port}",
        "OPENAI_API_KEY": LLM,
        "LINKNER_API_KEY": GATEWAY,
    }
    return {**os.environ, **servers, **changes}


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def command_lines() -> str:
    """What `ps` shows of every process of this user."""
    shown = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown.append(path.read_text(errors="replace"))
        except OSError:  # it has just ended, or is not ours
            continue
    return "\n".join(shown)


@pytest.mark.parametrize("broker", ["redis", "amqp"])
def test_services_whose_servers_are_away(nowhere: int, broker: str, tmp_path: Path) -> None:
    url = {
        "redis": f"redis://:{REDIS}@127.0.0.1:{nowhere}/0",
        "amqp": f"amqp://me:{RABBITMQ}@127.0.0.1:{nowhere}//",
    }
    env = environment(nowhere, LINKNER_BROKER_URL=url[broker])
    logs = {arguments: tmp_path / f"{'-'.join(arguments[:2])}.log" for arguments in SERVICES}
    with ExitStack() as stack:
        for arguments, log in logs.items():
            process = GuardedProcess([*LINKNER, *arguments], log=log, env=env)
            stack.callback(process.stop, within_s=5)
        complaints = ("error", "listening", "Cannot connect")
        assert wait_until(
            lambda: all(any(word in log.read_text() for word in complaints) for log in logs.values()),
            within_s=60,
        ), {log.name: log.read_text()[-300:] for log in logs.values()}
        time.sleep(1)  # let them complain some more
        assert leaks(command_lines()) == []
    for log in logs.values():
        assert leaks(log.read_text()) == [], log.name


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_whose_servers_are_away(nowhere: int, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPATIENT, *arguments],
        env=environment(nowhere),
        input='{"source": "s", "external_id": "1", "text": "x"}\n',
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert done.stderr
    assert leaks(done.stdout + done.stderr) == []


_IMPATIENT = """
import sys
from workers import api_client, cli
give_up_at_once = api_client.GatewayClient.__init__
def impatient(self, url, *, api_key="", patience_s=0):
    give_up_at_once(self, url, api_key=api_key, patience_s=0)
api_client.GatewayClient.__init__ = impatient
cli.main()
"""


def test_a_gateway_at_work(
    engine: Engine, database_url: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    PostgresKeys(engine).create("one", scopes=["submit", "admin"], posts_per_minute=1, key=GATEWAY)
    log = tmp_path / "gateway.log"
    env = environment(
        1,
        # the embedded server takes any password, or none
        LINKNER_POSTGRES_URL=make_url(database_url)
        .set(password=POSTGRES)
        .render_as_string(hide_password=False),
        LINKNER_REDIS_URL=redis_url,
        LINKNER_BROKER_URL=redis_url,
        LINKNER_KEY_PREFIX=redis_prefix,
        LINKNER_GATEWAY_KEYS="required",
    )
    gateway = GuardedProcess([*LINKNER, "gateway", "--port", "0", "--log-level", "DEBUG"], log=log, env=env)
    try:
        assert wait_until(lambda: "listening on http" in log.read_text(), within_s=60), log.read_text()
        url = log.read_text().rpartition("listening on ")[2].split()[0]
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {GATEWAY}"}) as client:
            answers = [
                client.post("/v1/documents", json=[{"source": "s", "external_id": "1", "text": "x"}]),
                client.post("/v1/documents", json=[{"source": "s"}]),
                client.post("/v1/documents", content=b"["),
                client.get("/v1/feed"),
                client.get("/v1/status"),
                client.get("/metrics"),
                client.get("/openapi.json"),
                client.get("/v1/documents/1", headers={"authorization": f"Bearer {GATEWAY}x"}),
            ]
        assert [answer.status_code for answer in answers] == [202, 429, 415, 403, 200, 200, 200, 401]
        assert leaks("\n".join(answer.text + str(answer.headers) for answer in answers)) == []
        assert leaks(command_lines()) == []
    finally:
        gateway.stop(within_s=20)
    assert leaks(log.read_text()) == []


def test_settings_show_no_url_and_no_key() -> None:
    url = f"postgresql://linkner:{POSTGRES}@host/linkner"
    settings = Settings(postgres_url=url, redis_url=f"redis://:{REDIS}@host/0", api_key=GATEWAY)
    assert leaks(repr(settings) + str(settings)) == []
