"""What the gateway says is wrong, from what it sees."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from broker.settings import Settings
from tests.support.backlog import IDLE
from workers.gateway.findings import KINDS, LLM_TROUBLE_S, Bounds, Sight, findings
from workers.gateway.wire import LlmStatus
from workers.ports import Stage, Trouble, Waits, of_llm

WELL = LlmStatus(
    endpoint="http://10.0.0.7/v1",
    model="llama",
    breaker="closed",
    open_s=0.0,
    hold_s=0.0,
    in_flight=3,
    spent_hour=0.0,
    spent_day=0.0,
    money_is_spent=False,
)
BOUNDS = Bounds(due_s=30, published_s=60, batch_due_s=3_600, trouble_s=60, high_water=100)
DOWN = replace(WELL, breaker="open", open_s=12.0)
BROKE = replace(WELL, money_is_spent=True)


def sight(
    *,
    depths: int = 0,
    broker: str = "ok",
    llm_limits: str = "ok",
    llm: tuple[LlmStatus, ...] = (WELL,),
    **backlog: object,
) -> Sight:
    stages = ("recognise", "classify", "aggregate")
    return Sight(
        backlog=replace(IDLE, **backlog),
        broker=broker,
        depths=dict.fromkeys(stages, depths) if broker == "ok" else {},
        llm_limits=llm_limits,
        llm=llm if llm_limits == "ok" else (),
        bounds=BOUNDS,
    )


def waits(stage: Stage, *, due_s: float = 0.0, published_s: float = 0.0) -> dict[Stage, Waits]:
    return {**IDLE.waits, stage: Waits(due_s, published_s)}


def kinds(seen: Sight) -> list[str]:
    return [one.kind for one in findings(seen)]


def test_nothing_is_wrong_with_a_system_at_rest_or_at_work() -> None:
    assert kinds(sight()) == []
    backlog = waits("recognise", due_s=900, published_s=20)
    for depths in (8, 0):
        assert kinds(sight(depths=depths, unfinished=100, waits=backlog)) == []


@pytest.mark.parametrize("stage", ["recognise", "classify", "aggregate"])
def test_due_work_and_an_empty_queue_mean_that_no_relay_runs(stage: Stage) -> None:
    [found] = findings(sight(waits=waits(stage, due_s=BOUNDS.due_s + 1)))
    assert found.kind == "relay"
    assert f"due for `{stage}` for 31 s" in found.problem
    assert "linkner relay" in found.hint
    assert kinds(sight(waits=waits(stage, due_s=BOUNDS.due_s))) == []


@pytest.mark.parametrize("stage", ["recognise", "classify", "aggregate"])
def test_messages_that_stay_in_their_queue_mean_that_no_worker_takes_them(stage: Stage) -> None:
    [found] = findings(sight(depths=8, waits=waits(stage, published_s=BOUNDS.published_s + 1)))
    assert found.kind == stage
    assert f"61 s in the queue `{stage}`" in found.problem
    assert f"linkner worker {stage}" in found.hint
    assert kinds(sight(depths=8, waits=waits(stage, published_s=BOUNDS.published_s))) == []


def test_what_was_taken_and_not_finished_is_told_apart_from_what_nobody_takes() -> None:
    [found] = findings(sight(depths=0, waits=waits("aggregate", published_s=90)))
    assert found.kind == "aggregate"
    assert "taken from the queue" in found.problem


def test_questions_that_wait_for_the_limits_are_taken_up() -> None:
    assert kinds(sight(depths=32, questions={"claimed": 4}, waits=waits("classify", published_s=900))) == []


@pytest.mark.parametrize("endpoint", [DOWN, replace(DOWN, breaker="probing")])
def test_questions_without_an_llm_are_the_llms_fault_alone(endpoint: LlmStatus) -> None:
    for standing in (waits("classify", due_s=900), waits("classify", published_s=900)):
        assert kinds(sight(llm=(endpoint,), waits=standing)) == ["llm"]


def test_questions_without_money_still_need_a_caller_that_ends_them() -> None:
    standing = waits("classify", published_s=90)
    assert kinds(sight(depths=8, llm=(BROKE,), waits=standing)) == ["money", "classify"]


def test_money_is_told_once_whoever_says_so() -> None:
    ended = (Trouble("money", "the day's budget is spent", 3.0),)
    assert [one.problem for one in findings(sight(troubles=ended))] == ["the day's budget is spent"]
    assert kinds(sight(llm=(BROKE,), troubles=ended)) == ["money"]


def test_an_endpoint_that_is_down_beside_one_that_is_well_is_told() -> None:
    assert kinds(sight(llm=(DOWN, WELL), waits=waits("classify", due_s=900))) == ["llm", "relay"]


def test_an_endpoint_that_is_down_is_told_with_what_its_own_calls_ran_into() -> None:
    refused = Trouble(
        of_llm(model=WELL.model, endpoint=WELL.endpoint), "the endpoint said HTTP 401", LLM_TROUBLE_S
    )
    another = Trouble(of_llm(model="another", endpoint=WELL.endpoint), "time-out", 3.0)
    told = findings(sight(llm=(DOWN,), troubles=(another, refused)))
    assert [one.hint for one in told] == ["the endpoint said HTTP 401"]
    assert kinds(sight(llm=(WELL,), troubles=(replace(refused, age_s=3.0),))) == [], "some calls always fail"


def test_a_broker_that_is_away_explains_all_that_stands_still() -> None:
    seen = sight(
        broker="the message broker did not answer", waits=waits("recognise", due_s=900, published_s=90)
    )
    [found] = findings(seen)
    assert (found.kind, found.problem) == ("broker", "the message broker did not answer")
    assert kinds(sight(broker="unused")) == []


def test_limits_that_cannot_be_looked_at_explain_questions_that_stand_still() -> None:
    seen = sight(llm_limits="Redis did not answer", waits=waits("classify", due_s=900, published_s=900))
    assert [(one.kind, one.problem) for one in findings(seen)] == [("llm-limits", "Redis did not answer")]
    assert kinds(sight(llm_limits="unused", waits=waits("classify", due_s=900))) == ["relay"]


def test_what_a_stage_says_itself_replaces_what_is_guessed_of_it() -> None:
    away = "the recognition service cannot be reached; got ConnectError"
    troubled = sight(
        depths=8, waits=waits("recognise", published_s=90), troubles=(Trouble("recognise", away, 4.0),)
    )
    assert [(one.kind, one.problem) for one in findings(troubled)] == [("recognise", away)]
    without_broker = (Trouble("relay", "the broker takes no message", 1.0),)
    assert kinds(sight(waits=waits("recognise", due_s=90), troubles=without_broker)) == ["relay"]


def test_a_trouble_of_the_past_is_none() -> None:
    assert kinds(sight(troubles=(Trouble("relay", "away", BOUNDS.trouble_s + 1),))) == []


def test_questions_that_no_batch_takes_mean_that_no_batcher_runs() -> None:
    assert kinds(sight(batch_due_s=BOUNDS.batch_due_s + 1)) == ["batcher"]
    assert kinds(sight(batch_due_s=BOUNDS.batch_due_s)) == []


def test_what_waits_for_an_operator_is_told_last() -> None:
    seen = sight(
        llm=(DOWN,), unfinished=101, dead_documents={"deadline": 2, "attempts-exhausted": 1}, parked=4
    )
    assert kinds(seen) == ["llm", "full", "dead", "parked"]
    assert [one.problem.split()[0] for one in findings(seen)[2:]] == ["3", "4"]


def test_operators_read_about_every_kind() -> None:
    manual = Path(__file__).parents[3].joinpath("docs", "operating.md").read_text()
    table = manual.partition("| kind |")[2].partition("\n\n")[0]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    assert {kind for cell in first_cells for kind in re.findall(r"`([a-z-]+)`", cell)} == {*KINDS}


def test_bounds_follow_what_the_stages_are_told_to_take() -> None:
    usual = Bounds.of(Settings())
    assert (usual.published_s, usual.batch_due_s, usual.trouble_s) == (120, 4_200, 60)
    slow = Bounds.of(Settings(recognise_timeout_s=300, batch_after_s=7_200, batch_poll_s=90, high_water=7))
    assert (slow.published_s, slow.batch_due_s, slow.trouble_s, slow.high_water) == (600, 10_800, 180, 7)
