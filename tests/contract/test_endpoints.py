"""Several endpoints, as a file names them, over the real limiter and real HTTP; their limits by command."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import redis
from typer.testing import CliRunner

from broker.limits import Demand, Result, Said
from broker.settings import Settings
from linkner.classification import Form, ask_at_once
from linkner.errors import BudgetSpentError, ConfigurationError, UnavailableError
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from tests.support.replaying import replaying
from tests.support.waiting import wait_until
from workers.bootstrap_llm import batch_limits, limiters, llm_gate, llm_pool, llm_states
from workers.cli import app
from workers.gateway.wire import LlmStatus
from workers.llm_pool import LlmPool
from workers.ports import of_llm
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies

POST = "Mira Okafor sings in Lagos"
REPLIES = RecordedReplies({POST: (LabelledSpan(Span(0, 11), "person"),)})
PROMPT = ask_at_once(POST, [Span(0, 11)], form=Form(name="packed"), label_set=label_set("wnut17")).prompt

Make = Callable[..., Settings]


@pytest.fixture
def made(redis_url: str, redis_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of endpoints that behave as they are told to, each a server of its own."""
    monkeypatch.setenv("LINKNER_REDIS_URL", redis_url)
    monkeypatch.setenv("LINKNER_KEY_PREFIX", redis_prefix)
    with ExitStack() as stack:

        def make(*endpoints: tuple[Behaviour, dict[str, Any]], **more: Any) -> Settings:
            lines = []
            for number, (behaviour, line) in enumerate(endpoints):
                url = stack.enter_context(replaying(REPLIES, behaviour))
                lines.append({"base_url": url, "model": f"model-{number}", **line})
            path = tmp_path / "endpoints.json"
            path.write_text(json.dumps({"endpoints": lines, **more}))
            monkeypatch.setenv("LINKNER_LLM_ENDPOINTS", str(path))
            prices = tmp_path / "prices.json"
            prices.write_text(
                json.dumps([{"model": line["model"], "prompt": 1, "completion": 1} for line in lines])
            )
            monkeypatch.setenv("LINKNER_LLM_PRICES", str(prices))
            monkeypatch.setenv("LINKNER_LLM_MAX_WAIT_S", "0.01")
            return Settings()

        yield make


def models(pool: LlmPool, times: int) -> list[str]:
    return [call.model for _, call in (pool.ask(PROMPT) for _ in range(times))]


def trip(settings: Settings, *, name: str, pause_s: float) -> None:
    """Have the breaker of an endpoint open, as by a 429 that says when to come back."""
    limiter = limiters(settings)[name]
    permit = limiter.reserve(Demand(prompt_tokens=1, max_tokens=1), max_wait_s=1.0)
    limiter.settle(permit, Result(outcome="later", said=Said(pause_s=pause_s)))


def names(settings: Settings) -> list[str]:
    return list(limiters(settings))


def test_the_second_takes_over_while_the_breaker_of_the_first_is_open(made: Make) -> None:
    settings = made((Behaviour(), {}), (Behaviour(), {}))
    pool = llm_pool(settings)
    assert models(pool, 2) == ["model-0", "model-0"]
    trip(settings, name=names(settings)[0], pause_s=4.0)
    assert models(pool, 2) == ["model-1", "model-1"]
    first = limiters(settings)[names(settings)[0]]
    assert wait_until(lambda: first.state().open_s == 0.0, within_s=30.0, every_s=0.05)
    assert models(pool, 2) == ["model-0", "model-0"], "a probe closes it again"


def test_the_second_takes_over_when_the_money_of_the_first_is_spent(made: Make) -> None:
    settings = made((Behaviour(), {"money_per_day": 0.0005}), (Behaviour(), {}))
    found = models(llm_pool(settings), 4)
    assert found[0] == "model-0"
    assert found[-1] == "model-1"
    assert found == sorted(found)


def test_where_all_money_is_spent_that_is_said(made: Make) -> None:
    pool = llm_pool(made((Behaviour(), {"money_per_hour": 0.000001})))
    with pytest.raises(BudgetSpentError, match="money_per_hour"):
        pool.ask(PROMPT)


def test_a_limit_of_money_needs_a_price(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made((Behaviour(), {"money_per_day": 1}))
    monkeypatch.delenv("LINKNER_LLM_PRICES")
    with pytest.raises(ConfigurationError, match="a price of model-0"):
        llm_pool(Settings())


def test_each_endpoint_has_a_deadline_of_its_own(made: Make) -> None:
    slow = Behaviour(latency_median_s=5.0)
    pool = llm_pool(made((slow, {"deadline_s": 0.2})))
    with pytest.raises(UnavailableError, match=r"within 0\.2 s"):
        pool.ask(PROMPT)


def test_what_an_endpoint_refuses_is_found_out_for_it_alone(made: Make) -> None:
    strict = Behaviour(refuse_schemas=True)
    settings = made((strict, {}), (strict, {"structured_outputs": "never"}), (Behaviour(), {}))
    pool = llm_pool(settings)
    with pytest.raises(UnavailableError, match="without one"):
        pool.ask(PROMPT)
    assert models(pool, 2) == ["model-0", "model-0"]
    trip(settings, name=names(settings)[0], pause_s=60.0)
    assert models(pool, 2) == ["model-1", "model-1"]
    url = json.loads(Path(settings.llm_endpoints).read_text())["endpoints"][1]["base_url"]
    with urlopen(url.removesuffix("/v1") + "/ledger", timeout=5) as ledger:
        assert json.load(ledger)["refused"] == 0, "it was never asked for structured outputs"


def test_weights_share_the_questions(made: Make) -> None:
    settings = made((Behaviour(), {"weight": 9}), (Behaviour(), {"weight": 1}), order="weighted")
    found = models(llm_pool(settings), 100)
    assert 70 <= found.count("model-0") <= 99


def test_the_gate_is_shut_when_no_endpoint_takes_questions(made: Make) -> None:
    settings = made((Behaviour(), {}), (Behaviour(), {}))
    first, second = names(settings)
    assert not llm_gate(settings).is_shut()
    trip(settings, name=first, pause_s=60.0)
    assert not llm_gate(settings).is_shut()
    trip(settings, name=second, pause_s=60.0)
    assert llm_gate(settings).is_shut()


def test_batches_need_no_other_question_to_probe_an_endpoint_for_them(made: Make) -> None:
    settings = made((Behaviour(), {}))
    trip(settings, name=names(settings)[0], pause_s=0.0)
    gates = [batch_limits(settings)[0], llm_gate(settings)]
    assert [gate.is_shut() for gate in gates] == [True, True]
    assert wait_until(lambda: not gates[0].is_shut())
    assert gates[1].is_shut(), "which feeds the questions that probe"


def test_each_slot_has_a_connection_to_redis(made: Make) -> None:
    settings = made((Behaviour(), {})).model_copy(update={"llm_slots": 125})
    (limiter,) = limiters(settings).values()
    assert limiter._client.connection_pool.max_connections > 125


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["limits", *arguments], catch_exceptions=False, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_limits_are_shown_and_set_while_callers_run(made: Make) -> None:
    settings = made((Behaviour(), {"requests_per_minute": 600}), (Behaviour(), {}))
    pool = llm_pool(settings)
    assert models(pool, 1) == ["model-0"]
    run("set", "in_flight=3", "requests_per_minute=1", "--model", "model-0")
    first, second = json.loads(run("show", "--json"))
    assert first["configured"]["requests_per_minute"] == 600
    assert first["set"] == {"in_flight": 3, "requests_per_minute": 1}
    assert (first["limits"]["requests_per_minute"], first["breaker"]) == (1, "closed")
    assert second["set"] == {}
    # The one that is allowed a minute may be free yet.
    assert models(pool, 4)[1:] == ["model-1"] * 3, "the running pool goes by it at once"
    table = run("show")
    assert "model-0 at http://" in table
    assert "requests_per_minute" in table
    run("set", "requests_per_minute=default", "in_flight=default", "--model", "model-0")
    assert json.loads(run("show", "--json"))[0]["set"] == {}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("requests_per_minute=many", "--model", "model-0"), "cannot be read"),
        (("requests_per_minute", "--model", "model-0"), "cannot be read"),
        (("in_flight=0.5", "--model", "model-0"), "cannot be read"),
        (("in_flight=1e400", "--model", "model-0"), "cannot be read"),
        (("in_flight=-1", "--model", "model-0"), "in_flight"),
        (("speed=9", "--model", "model-0"), "unknown limit"),
        (("in_flight=9",), "more than one LLM endpoint"),
        (("in_flight=9", "--model", "gpt"), "no LLM endpoint"),
    ],
)
def test_what_is_no_limit_is_refused(made: Make, arguments: tuple[str, ...], problem: str) -> None:
    made((Behaviour(), {}), (Behaviour(), {}))
    with pytest.raises(ConfigurationError, match=problem):
        CliRunner().invoke(app, ["limits", "set", *arguments], catch_exceptions=False)


def test_no_key_is_kept_in_redis_or_shown(
    made: Make, monkeypatch: pytest.MonkeyPatch, redis_url: str, redis_prefix: str
) -> None:
    monkeypatch.setenv("HOSTED_KEY", "sk-never-to-be-shown")
    settings = made((Behaviour(), {"api_key_env": "HOSTED_KEY"}))
    pool = llm_pool(settings)
    assert models(pool, 1) == ["model-0"]
    with redis.Redis.from_url(redis_url.replace("redis+socket://", "unix://")) as client:
        keys = list(client.scan_iter(match=f"*{redis_prefix}*"))
    assert keys
    assert "sk-never" not in run("show", "--json") + repr(settings) + repr(keys) + repr(pool)


def test_what_a_call_ran_into_is_noted_by_the_name_that_the_gateway_looks_for(made: Make) -> None:
    settings = made((Behaviour(), {"base_url": "http://127.0.0.1:9/v1", "model": "m"}))
    noted: list[str] = []
    with pytest.raises(UnavailableError):
        llm_pool(settings, note=lambda stage, _: noted.append(stage)).ask(PROMPT)
    [(endpoint, look)] = llm_states(settings)
    seen = LlmStatus.of(endpoint, look())
    assert noted == [of_llm(model=seen.model, endpoint=seen.endpoint)]
