"""The batch lane over fakes: what batches cost, and what a budget lets them cost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.unit.workers.handlers.batch_scene import Scene
from workers.ports import BUDGET, Selection
from workers.store.batching import ERASED_SOURCE


def test_a_batch_costs_half_and_is_recorded_once() -> None:
    scene = Scene("Zork sings", "Zork sings ")
    scene.step_until_done()
    (row,) = scene.store.costs("source", within_s=1e6)
    assert row.calls == 1
    assert row.cost == Decimal(row.prompt_tokens + row.completion_tokens) / 2_000_000


def test_the_calls_of_a_batch_that_was_stopped_have_their_source() -> None:
    scene = Scene("Zork sings", "Anna sings", reply="a delicious pancake")
    scene.step()
    left = [True, False]
    scene.batching = replace(scene.batching, go_on=lambda: left.pop(0))
    scene.step()
    scene.batching = replace(scene.batching, go_on=lambda: True)
    scene.step_until_done()
    (row,) = scene.store.costs("source", within_s=1e6)
    assert (row.name, row.calls) == ("test", sum(scene.sent))
    assert sum(scene.spent) == row.cost


def test_what_was_asked_about_erased_documents_costs_as_well() -> None:
    scene = Scene("Zork sings", "Anna sings")
    scene.step()
    scene.store.erase(Selection(source="test"), after=0, limit=9)
    assert scene.step() == {}
    (row,) = scene.store.costs("source", within_s=1e6)
    assert (row.name, row.calls) == (ERASED_SOURCE, 2)
    assert scene.spent == [row.cost]
    assert not scene.batches.open()


def test_once_the_budget_is_spent_questions_fall_back_and_say_so() -> None:
    scene = Scene("Zork sings", per_day=Decimal("0.000001"))
    scene.step_until_done()
    scene.ask("Anna sings")
    assert scene.step() == {"ended": 1}
    assert scene.reasons == {BUDGET: 1}


def test_a_batch_has_no_more_questions_than_the_budget_pays_for() -> None:
    scene = Scene("Zork sings", "Zork sings ", "Anna sings", per_day=Decimal("0.000001"))
    assert scene.step() == {"submitted": 1, "ended": 1}, "the second question shares what the first one asks"
    assert scene.reasons == {BUDGET: 1}


def test_batches_under_way_count_by_their_estimate_until_their_cost_is_known() -> None:
    probe = Scene("Zork sings")
    probe.step()
    ((prompt,),) = (prompts.values() for prompts in probe.llm.batches.values())
    scene = Scene("Zork sings", per_day=probe.batching.tariff.estimate(prompt))
    scene.step()
    scene.llm.running = True
    scene.ask("Anna sings")
    assert scene.step() == {"ended": 1}
    scene.llm.running = False
    scene.ask("Oslo sings")
    assert scene.step() == {"answered": 1, "submitted": 1}, "the answer was shorter than it might have been"


def test_the_limits_of_money_are_told_once_what_a_batch_cost() -> None:
    scene = Scene("Zork sings", "Anna sings")
    scene.step_until_done()
    (row,) = scene.store.costs("source", within_s=1e6)
    assert scene.spent == [row.cost]


def test_a_batch_ends_though_its_cost_cannot_be_counted() -> None:
    scene = Scene("Zork sings")
    scene.redis_is_away = True
    scene.step_until_done()
    assert scene.spent == []
    assert not scene.batches.open()
