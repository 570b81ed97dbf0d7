"""The batch lane over fakes: what is sent off, what comes back, and what a crash in between leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from linkner.classification import Form
from linkner.errors import UnavailableError
from linkner.labels import label_set
from linkner.pricing import Price
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.batches import FakeBatches, FakeBatchLlm
from tests.fakes.clock import FakeClock
from tests.fakes.llm import FakeLlm
from tests.fakes.store import FakeStore
from tests.support.one_question import alone
from workers.batch_client import TIMEOUT_S
from workers.handlers.aggregate import AggregateDocuments
from workers.handlers.answering import LLM_REFUSED, UNREADABLE, Answering
from workers.handlers.batch import APPEARS_WITHIN_S, BatchQuestions
from workers.handlers.budget import BUDGET, Budget, Tariff
from workers.ports import ATTEMPTS_EXHAUSTED, DEADLINE, Lane, NewDocument, Recognised, Selection
from workers.store.batching import ERASED_SOURCE

PRICE = Price(prompt=Decimal(1), completion=Decimal(1), cached_prompt=Decimal(1))
SWEEP = {"republish_after_s": 1e6, "deadline_s": 1e6, "document_deadline_s": 1e6}


class Scene:
    """Documents of one question each about their first word, which the local model takes for a product."""

    def __init__(
        self,
        *texts: str,
        reply: str = "group",
        cache_max_age_s: float = 3600.0,
        per_day: Decimal | None = None,
        revise_late: bool = False,
        deadline_s: float | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.batches = FakeBatches(self.store)
        self.llm = FakeBatchLlm(FakeLlm(answer=lambda prompt: reply))
        self.deadline_s = deadline_s
        self.is_shut = self.redis_is_away = False
        self.spent: list[Decimal] = []
        self.documents = [self.ask(text) for text in texts]
        self.batching = BatchQuestions(
            answering=Answering(
                store=self.store,
                record=alone(self.store),
                form=Form(),
                label_set=label_set("wnut17"),
                model="m",
                max_attempts=3,
                cache_max_age_s=cache_max_age_s,
            ),
            batches=self.batches,
            llm=self.llm,
            tariff=Tariff(endpoint="http://here/v1", model="m", price=PRICE),
            budget=Budget(ledger=self.store, clock=self.clock, per_day=per_day, refresh_s=0.0),
            at_least=1,
            at_most=100,
            after_s=0.0,
            revise_late=revise_late,
            is_shut=lambda: self.is_shut,
            spend=self.spend,
        )

    def spend(self, money: Decimal) -> None:
        if self.redis_is_away:
            raise UnavailableError("redis is away")
        self.spent.append(money)

    def ask(self, text: str, *, lane: Lane = "batch") -> int:
        number = self.store.unfinished() + 100 * self.store.counts().documents["complete"]
        (accepted,) = self.store.accept([NewDocument("test", f"{text}{number}", text)])
        span = Span(0, len(text.split()[0]))
        scored = ScoredSpan(span, "product", 0.6, 0.4, {OUTSIDE: 0.4, "product": 0.6})
        result = Recognised(
            accepted.document_id,
            "local",
            Recognition((scored,), ()),
            ((scored,),),
            deadline_s=self.deadline_s,
            lane=lane,
        )
        self.store.record_recognised([result])
        return accepted.document_id

    def step(self) -> Mapping[str, int]:
        return self.batching.step()

    def step_until_done(self) -> None:
        for _ in range(20):
            self.step()
            self.clock.sleep(60.0)
            if not self.batches.open() and not self.open_questions:
                return
        raise AssertionError("it goes on for ever")

    @property
    def open_questions(self) -> int:
        return sum(question.is_open for question in self.store.questions)

    @property
    def reasons(self) -> dict[str, int]:
        return dict(self.store.counts().dead_reasons)

    @property
    def sent(self) -> list[int]:
        """How many requests each batch had."""
        return [len(prompts) for prompts in self.llm.batches.values()]

    def aggregate(self) -> None:
        AggregateDocuments(store=self.store, max_attempts=5)(self.documents)


def test_what_waits_is_sent_off_and_what_came_back_is_recorded() -> None:
    scene = Scene("Zork sings", "Anna sings")
    assert scene.step() == {"submitted": 2}
    assert scene.step() == {"answered": 2}
    assert scene.step() == {}
    found = scene.store.joinable(scene.documents)
    assert [dict(joinable.answers) for joinable in found] == [{Span(0, 4): "group"}] * 2
    assert scene.sent == [2]
    assert len(scene.llm.discarded) == 1


def test_a_batch_that_is_not_done_is_left_alone() -> None:
    scene = Scene("Zork sings")
    scene.step()
    scene.llm.running = True
    assert scene.step() == {}
    assert scene.open_questions == 1
    scene.llm.running = False
    assert scene.step() == {"answered": 1}


def test_equal_questions_are_one_request_and_all_are_answered() -> None:
    scene = Scene("Zork sings", "Zork sings ", "Anna sings", "Zork  sings")
    assert scene.step() == {"submitted": 2}
    assert scene.step() == {"answered": 4}
    assert scene.store.cache().from_cache == 2


def test_without_the_cache_each_is_a_request() -> None:
    scene = Scene("Zork sings", "Zork sings ", cache_max_age_s=0.0)
    assert scene.step() == {"submitted": 2}
    assert scene.step() == {"answered": 2}


def test_what_the_cache_knows_is_not_asked() -> None:
    scene = Scene("Zork sings")
    scene.step_until_done()
    scene.ask("Zork sings ")
    assert scene.step() == {"answered": 1}
    assert scene.sent == [1]
    assert scene.batches.open() == []


def test_a_batch_costs_half_and_is_recorded_once() -> None:
    scene = Scene("Zork sings", "Zork sings ")
    scene.step_until_done()
    (row,) = scene.store.costs("source", within_s=1e6)
    assert row.calls == 1
    assert row.cost == Decimal(row.prompt_tokens + row.completion_tokens) / 2_000_000


def test_a_crash_before_the_id_was_written_down_asks_nothing_again() -> None:
    scene = Scene("Zork sings")
    submit = scene.llm.submit

    def dies_after(name, prompts):
        submit(name, prompts)
        raise KeyboardInterrupt

    scene.llm.submit = dies_after
    with pytest.raises(KeyboardInterrupt):
        scene.step()
    scene.llm.submit = submit
    assert scene.step() == {"answered": 1}
    assert scene.sent == [1]


def test_a_batch_that_never_came_to_be_is_made_again() -> None:
    scene = Scene("Zork sings")
    scene.llm.failures = [UnavailableError("HTTP 503")]
    with pytest.raises(UnavailableError):
        scene.step()
    assert scene.step() == {}, "it may still come to be"
    scene.clock.sleep(APPEARS_WITHIN_S + 1.0)
    assert scene.step() == {"submitted": 1}
    assert scene.step() == {"answered": 1}


def test_a_batch_may_take_as_long_to_appear_as_the_client_to_send_it() -> None:
    assert 2 * TIMEOUT_S < APPEARS_WITHIN_S


def test_the_wait_for_a_batch_to_appear_begins_when_it_is_sent_off() -> None:
    scene = Scene("Zork sings")
    scene.batching = replace(
        scene.batching, may_work=lambda: scene.clock.sleep(APPEARS_WITHIN_S + 1.0) or True
    )
    scene.llm.failures = [UnavailableError("HTTP 503")]
    with pytest.raises(UnavailableError):
        scene.step()
    assert scene.step() == {}
    assert len(scene.batches.open()) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_batch_that_another_process_has_closed_is_not_asked_for(moment: str) -> None:
    scene = Scene("Zork sings")
    submit = scene.llm.submit

    def closed_meanwhile(*_: object) -> bool:
        scene.batches.close(1, error="the provider never had it")
        return True

    def slow(name, prompts):
        provider_id = submit(name, prompts)
        closed_meanwhile()
        return provider_id

    if moment == "before":
        scene.batching = replace(scene.batching, may_work=closed_meanwhile)
    else:
        scene.llm.submit = slow
    assert scene.step() == {}
    assert scene.batches.open() == []
    assert scene.llm.discarded == ([] if moment == "before" else ["provider's batch 1"])
    assert scene.sent == ([] if moment == "before" else [1])


def test_who_is_not_the_one_process_any_more_sends_nothing_off() -> None:
    scene = Scene("Zork sings")
    scene.batching = replace(scene.batching, may_work=lambda: False)
    assert scene.step() == {}
    assert scene.sent == []
    scene.batching = replace(scene.batching, may_work=lambda: True)
    assert scene.step() == {"submitted": 1}, "nothing waits for what was not sent"


def test_a_crash_while_settling_is_taken_up_and_costs_nothing_again() -> None:
    scene = Scene("Zork sings", "Anna sings", "Oslo sings")
    scene.step()
    record, recorded = scene.store.record_answers, []

    def dies_at_the_second(answered):
        if recorded:
            raise KeyboardInterrupt
        recorded.extend(answered)
        return record(answered)

    scene.store.record_answers = dies_at_the_second
    with pytest.raises(KeyboardInterrupt):
        scene.step()
    scene.store.record_answers = record
    assert scene.step() == {"answered": 1, "skipped": 1}, "the dead process still holds one"
    assert scene.batches.open()
    scene.clock.sleep(60.0)
    assert scene.step() == {"answered": 1}
    assert scene.sent == [3]
    (row,) = scene.store.costs("source", within_s=1e6)
    assert row.calls == 3


def test_a_stop_leaves_the_rest_to_the_next_step() -> None:
    scene = Scene("Zork sings", "Anna sings", "Oslo sings")
    scene.step()
    left = [True, False]
    scene.batching = replace(scene.batching, go_on=lambda: left.pop(0))
    assert scene.step() == {"answered": 1}
    scene.batching = replace(scene.batching, go_on=lambda: True)
    assert scene.step() == {"answered": 2}
    assert scene.sent == [3]


@pytest.mark.parametrize("fault", ["unreadable", "expired"])
def test_a_stop_after_a_bad_result_counts_it_once(fault: str) -> None:
    scene = Scene("Zork sings", "Anna sings", "Oslo sings", reply="a delicious pancake")
    scene.llm.expired = lambda id_: fault == "expired"
    scene.step()
    left = [True, False]
    scene.batching = replace(scene.batching, at_least=3, after_s=1e6, go_on=lambda: left.pop(0))
    assert scene.step() == {"released": 1}
    scene.batching = replace(scene.batching, go_on=lambda: True)
    scene.clock.sleep(60.0)
    assert scene.step()["released"] == 2
    assert [question.attempts for question in scene.store.questions] == [1, 1, 1]


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


def test_what_was_not_done_in_time_is_asked_again_in_the_next_batch() -> None:
    scene = Scene("Zork sings", "Anna sings")
    scene.step()
    undone = next(iter(scene.llm.batches["batch 1"]))
    scene.llm.expired = lambda id_: id_ == undone
    assert scene.step() == {"answered": 1, "released": 1}
    scene.llm.expired = lambda id_: False
    scene.step_until_done()
    assert scene.sent == [2, 1]
    assert scene.store.counts().questions["answered"] == 2


@pytest.mark.parametrize("fault", ["lost", "expired"])
def test_what_is_never_done_ends_after_its_attempts(fault: str) -> None:
    scene = Scene("Zork sings")
    setattr(scene.llm, fault, lambda id_: True)
    scene.step_until_done()
    assert scene.reasons == {ATTEMPTS_EXHAUSTED: 1}
    assert scene.sent == [1, 1, 1]


def test_a_refused_question_ends_and_the_others_are_answered() -> None:
    scene = Scene("Zork sings", "Anna sings")
    scene.llm.llm.answer = lambda prompt: None if "Anna" in prompt.user else "group"
    scene.step_until_done()
    assert scene.reasons == {LLM_REFUSED: 1}
    assert scene.store.counts().questions["answered"] == 1


def test_an_unreadable_reply_is_asked_for_once_more() -> None:
    scene = Scene("Zork sings", reply="a delicious pancake")
    scene.step_until_done()
    assert scene.reasons == {UNREADABLE: 1}
    assert scene.sent == [1, 1]


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


def test_an_endpoint_that_is_away_keeps_no_other_batch_waiting() -> None:
    scene = Scene("Zork sings")
    scene.step()
    scene.llm.failures = [UnavailableError("HTTP 503")]
    scene.ask("Anna sings")
    assert scene.step() == {"submitted": 1}
    assert scene.step() == {"answered": 2}


def test_a_batch_that_the_provider_forgot_is_given_up() -> None:
    scene = Scene("Zork sings")
    scene.step()
    scene.clock.sleep(4 * 86_400.0)
    scene.llm.failures = [UnavailableError("HTTP 404")]
    assert scene.step() == {"submitted": 1}
    assert scene.batches.errors == {1: "HTTP 404"}


class TestLateAnswers:
    """An answer that comes after its question's deadline."""

    def late(self, *, revise_late: bool) -> Scene:
        scene = Scene("Zork sings", "Anna sings", revise_late=revise_late, deadline_s=3600.0)
        scene.step()
        scene.clock.sleep(3600.0)
        scene.store.sweep(**SWEEP)
        scene.aggregate()
        assert [scene.store.document(id_).revision for id_ in scene.documents] == [1, 1]
        assert scene.reasons == {DEADLINE: 2}
        scene.step()
        scene.aggregate()
        return scene

    def test_makes_another_revision_where_that_is_wanted(self) -> None:
        scene = self.late(revise_late=True)
        views = [scene.store.document(id_) for id_ in scene.documents]
        assert [view.revision for view in views] == [2, 2]
        assert [view.entities[0].decided_by for view in views] == ["llm", "llm"]

    def test_is_dropped_where_not(self) -> None:
        scene = self.late(revise_late=False)
        views = [scene.store.document(id_) for id_ in scene.documents]
        assert [view.revision for view in views] == [1, 1]
        assert [view.entities[0].reason for view in views] == [DEADLINE, DEADLINE]

    @pytest.mark.parametrize("fault", ["lost", "expired"])
    def test_that_never_came_opens_nothing(self, fault: str) -> None:
        scene = Scene("Zork sings", revise_late=True, deadline_s=3600.0)
        setattr(scene.llm, fault, lambda id_: True)
        scene.step()
        scene.clock.sleep(3600.0)
        scene.store.sweep(**SWEEP)
        scene.aggregate()
        scene.step_until_done()
        assert [scene.store.document(id_).status for id_ in scene.documents] == ["final"]
        assert scene.reasons == {DEADLINE: 1}
        assert scene.sent == [1]

    @pytest.mark.parametrize("revise_late", [True, False])
    def test_costs_in_any_case(self, revise_late: bool) -> None:
        (row,) = self.late(revise_late=revise_late).store.costs("source", within_s=1e6)
        assert row.calls == 2


def test_while_the_endpoint_is_down_no_batch_is_sent_and_those_under_way_are_looked_after() -> None:
    scene = Scene("Anna sings")
    scene.step()
    scene.ask("Umit plays")
    scene.is_shut = True
    scene.clock.sleep(60.0)
    scene.step()
    assert scene.sent == [1]
    assert scene.open_questions == 1, "the first was settled"
    scene.is_shut = False
    scene.step_until_done()
    assert scene.sent == [1, 1]
