"""What the gateway tells of the LLM: its endpoints' breakers, calls and money, as the limiters have them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from broker.endpoints import chosen_endpoints
from broker.limits import Demand, Permit, Result, Said
from broker.settings import Settings
from tests.contract.gateway.server import serving
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from workers.bootstrap import gateway_app, limits
from workers.bootstrap_llm import limiters, llm_states
from workers.gateway.app import create_app

ONE = Demand(prompt_tokens=90, max_tokens=10)
URL, SHOWN = "http://me:hunter2@127.0.0.1:9/v1", "http://127.0.0.1:9/v1"
LABELS = f'{{endpoint="{SHOWN}",model="m"}}'


def asked(client: httpx.Client) -> tuple[dict[str, Any], list[str]]:
    """The state and the metrics; neither may show the password."""
    status, metrics = client.get("/v1/status"), client.get("/metrics")
    assert status.status_code == metrics.status_code == 200
    assert "hunter2" not in status.text + metrics.text
    return status.json(), metrics.text.splitlines()


def test_an_outage_and_spent_money_are_told(database_url: str, redis_url: str, redis_prefix: str) -> None:
    settings = Settings(
        postgres_url=database_url,
        redis_url=redis_url,
        key_prefix=redis_prefix,
        llm_base_url=URL,
        llm_model="m",
        llm_money_per_day=1.0,
    )
    [limiter] = limiters(settings).values()
    held, failed = (limiter.reserve(ONE, max_wait_s=5.0) for _ in range(2))
    assert isinstance(held, Permit)
    assert isinstance(failed, Permit)
    limiter.settle(failed, Result(outcome="later", said=Said(pause_s=500.0)))
    limiter.spend(Decimal(2))

    with serving(gateway_app(settings)) as client:
        status, metrics = asked(client)

    [llm] = status["llm"]
    assert status["llm_limits"] == "ok"
    assert (llm["endpoint"], llm["model"], llm["breaker"], llm["in_flight"]) == (SHOWN, "m", "open", 1)
    assert 400 < llm["open_s"] <= 500
    assert (llm["spent_day"], llm["money_is_spent"]) == (2.0, True)
    assert f"linkner_llm_breaker_open{LABELS} 1.0" in metrics
    assert f"linkner_llm_in_flight{LABELS} 1.0" in metrics
    assert f"linkner_llm_money_spent_day{LABELS} 2.0" in metrics
    assert f"linkner_llm_money_is_spent{LABELS} 1.0" in metrics
    assert "linkner_llm_limits_up 1.0" in metrics


def test_all_else_is_told_where_the_limits_cannot_be_looked_at() -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", llm_base_url=URL, llm_model="m")
    store = FakeStore(FakeClock())
    app = create_app(
        store=store,
        reader=store,
        settings=settings,
        limits=limits(settings),
        queues=None,
        keys=None,
        clock=FakeClock(),
        llm=llm_states(settings),
    )
    with serving(app) as client:
        status, metrics = asked(client)
        ready = client.get("/readyz")

    assert status["llm"] == []
    assert status["llm_limits"] == "the limiter's state in Redis cannot be reached"
    assert status["broker"] == "unused"
    assert {"linkner_llm_limits_up 0.0", "linkner_store_up 1.0"} <= {*metrics}
    assert ready.status_code == 200  # posts are taken whatever the LLM does


def test_nothing_is_looked_at_where_there_is_no_llm() -> None:
    assert llm_states(Settings(redis_url="redis://127.0.0.1:1/0", llm_base_url="")) == []
    assert llm_states(Settings(redis_url="", llm_base_url=URL)) == []


def test_each_endpoint_is_looked_at_by_its_own_limiter(redis_url: str, redis_prefix: str) -> None:
    settings = Settings(redis_url=redis_url, key_prefix=redis_prefix, llm_base_url=URL, llm_model="m")
    limiters(settings)[chosen_endpoints(settings).all[0].name].reserve(ONE, max_wait_s=0.0)
    other = settings.model_copy(update={"llm_model": "n"})

    assert [state().in_flight for one in (settings, other) for _, state in llm_states(one)] == [1, 0]
