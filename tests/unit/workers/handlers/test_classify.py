"""One question over fakes: what each reply, failure and wait makes of it."""

from collections import deque
from decimal import Decimal

import pytest

from linkner.errors import BudgetSpentError, RejectedError, UnavailableError
from linkner.spans import OUTSIDE
from tests.support.one_question import claim_one
from tests.unit.workers.handlers.classify_scene import SPAN, Scene
from workers.ports import ATTEMPTS_EXHAUSTED, BUDGET, LLM_REFUSED, UNREADABLE


def test_an_answer_is_recorded_and_the_document_is_ready_to_join() -> None:
    scene = Scene(reply="The entity type is **group**.")
    assert scene.run() == "answered"
    (joinable,) = scene.store.joinable([scene.document_id])
    assert dict(joinable.answers) == {SPAN: "group"}


def test_non_entity_is_an_answer() -> None:
    scene = Scene(reply="Non-entity")
    assert scene.run() == "answered"
    (joinable,) = scene.store.joinable([scene.document_id])
    assert dict(joinable.answers) == {SPAN: OUTSIDE}


def test_a_repeated_message_asks_nothing() -> None:
    scene = Scene()
    assert [scene.run(), scene.run()] == ["answered", "skipped"]
    assert len(scene.llm.asked) == 1


def test_a_question_that_another_caller_holds_is_left_alone() -> None:
    scene = Scene()
    assert claim_one(scene.store, scene.question_id, lease_s=40.0, max_attempts=5) is not None
    assert scene.run() == "skipped"
    assert not scene.llm.asked


def test_an_answer_after_the_lease_was_taken_over_is_dropped() -> None:
    scene = Scene()

    def slow_reply(prompt: object) -> str:
        scene.clock.sleep(41.0)
        assert claim_one(scene.store, scene.question_id, lease_s=40.0, max_attempts=5) is not None
        return "group"

    scene.llm.answer = slow_reply
    assert scene.run() == "stale"
    assert scene.store.counts().questions.get("answered", 0) == 0


def test_money_that_the_limits_refuse_is_a_budget_that_is_spent() -> None:
    scene = Scene()
    scene.llm.failures = deque([BudgetSpentError("spent", retry_after_s=900.0)])
    assert scene.run_until_ended() == ["ended"]
    assert scene.reasons == {BUDGET: 1}
    assert [(stage, str(error)) for stage, error in scene.noted] == [("money", "spent")]


def test_an_llm_that_stays_away_is_given_up_after_the_attempts() -> None:
    scene = Scene()
    scene.llm.failures = deque([UnavailableError("HTTP 500")] * 100)
    assert scene.run_until_ended() == ["released"] * 4 + ["ended"]
    assert scene.reasons == {ATTEMPTS_EXHAUSTED: 1}
    assert len(scene.llm.asked) == 5


def test_being_told_when_to_come_back_is_no_attempt() -> None:
    scene = Scene()
    scene.llm.failures = deque([UnavailableError("HTTP 429", retry_after_s=7.0)] * 20)
    outcomes = scene.run_until_ended()
    assert outcomes == ["released"] * 20 + ["answered"]


def test_a_refused_question_ends_at_once() -> None:
    scene = Scene()
    scene.llm.failures = deque([RejectedError("HTTP 400")])
    assert scene.run_until_ended() == ["ended"]
    assert scene.reasons == {LLM_REFUSED: 1}


def test_an_answer_off_the_list_is_asked_for_once_more() -> None:
    scene = Scene(reply="a delicious pancake")
    assert scene.run_until_ended() == ["released", "ended"]
    assert scene.reasons == {UNREADABLE: 1}
    assert len(scene.llm.asked) == 2


def test_an_equal_question_takes_the_answer_and_is_not_asked() -> None:
    scene = Scene(reply="group")
    first, second = scene.question_id, scene.ask_again()
    assert [scene.handle(first), scene.handle(second)] == ["answered", "answered"]
    assert len(scene.llm.asked) == 1
    assert scene.store.cache().from_cache == 1


def test_an_equal_question_waits_outside_the_slot_while_the_first_is_asked() -> None:
    scene = Scene()
    second = scene.ask_again()
    meanwhile: list[object] = []

    def reply(prompt: object) -> str:
        meanwhile.append(scene.handle(second))
        return "group"

    scene.llm.answer = reply
    assert scene.run() == "answered"
    assert meanwhile == ["put-off"]
    assert scene.published() == [second]
    assert scene.handle(second) == "answered"
    assert len(scene.llm.asked) == 1


def test_where_the_first_caller_dies_the_next_one_asks() -> None:
    scene = Scene()
    second = scene.ask_again()

    def dies(prompt: object) -> str:
        raise KeyboardInterrupt

    scene.llm.answer = dies
    with pytest.raises(KeyboardInterrupt):
        scene.run()
    scene.llm.answer = lambda prompt: "group"
    assert scene.handle(second) == "put-off"
    scene.clock.sleep(40.0)
    assert scene.published() == [second]
    assert scene.handle(second) == "answered"


def test_without_the_cache_each_question_is_asked() -> None:
    scene = Scene(cache_max_age_s=0.0)
    second = scene.ask_again()
    assert [scene.run(), scene.handle(second)] == ["answered", "answered"]
    assert len(scene.llm.asked) == 2


def test_a_call_is_recorded_with_what_it_used_and_cost() -> None:
    scene = Scene()
    scene.run()
    (row,) = scene.store.costs("model", within_s=60.0)
    assert (row.name, row.calls, row.unpriced) == ("fake-llm", 1, 0)
    assert row.prompt_tokens > 0
    assert row.cost == (row.prompt_tokens + 2 * row.completion_tokens) / Decimal(1_000_000)


def test_a_reply_that_cannot_be_read_costs_as_well() -> None:
    scene = Scene(reply="a delicious pancake")
    scene.run_until_ended()
    (row,) = scene.store.costs("source", within_s=1e6)
    assert row.calls == 2


def test_an_answer_that_is_dropped_costs_as_well() -> None:
    scene = Scene()

    def slow_reply(prompt: object) -> str:
        scene.clock.sleep(41.0)
        assert claim_one(scene.store, scene.question_id, lease_s=40.0, max_attempts=5) is not None
        return "group"

    scene.llm.answer = slow_reply
    assert scene.run() == "stale"
    (row,) = scene.store.costs("source", within_s=60.0)
    assert row.calls == 1


def test_once_the_budget_is_spent_questions_fall_back_and_say_so() -> None:
    scene = Scene(budget=Decimal("0.000001"), cache_max_age_s=0.0)
    second = scene.ask_again()
    assert scene.run() == "answered"
    scene.clock.sleep(10.0)
    assert scene.handle(second) == "ended"
    assert scene.reasons == {BUDGET: 1}
    assert [stage for stage, _ in scene.noted] == ["money"]
    assert len(scene.llm.asked) == 1


def test_what_the_cache_knows_needs_no_budget() -> None:
    scene = Scene(budget=Decimal("0.000001"))
    second = scene.ask_again()
    scene.run()
    scene.clock.sleep(10.0)
    assert scene.handle(second) == "answered"


def test_a_record_that_is_away_fails_closed() -> None:
    scene = Scene(budget=Decimal(1))

    def away() -> None:
        raise UnavailableError("postgres is away")

    scene.store.spent_today = away
    with pytest.raises(UnavailableError):
        scene.run()
    assert not scene.llm.asked
    scene.clock.sleep(5.0)
    assert scene.published() == [scene.question_id]
