"""Which endpoint is asked, how long a slot waits, and what the limiter is told of the call."""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal
from random import Random

import pytest

from broker.limits import Demand, Permit, Refusal, Result, Said
from linkner.classification import Prompt
from linkner.errors import (
    BudgetSpentError,
    LinknerError,
    NotReachedError,
    RejectedError,
    ServiceError,
    StoppedError,
    UnavailableError,
)
from linkner.pricing import Price
from tests.fakes.clock import FakeClock
from tests.fakes.llm import FakeLlm
from workers.handlers.budget import Tariff
from workers.llm_pool import TOO_LATE_S, LimitedLlm, LlmPool, PromptTokens

PROMPT = Prompt(system="s" * 280, user="u" * 120, max_tokens=10, version="v")
PRICE = Price(prompt=Decimal(1), completion=Decimal(4), cached_prompt=Decimal(0))


class ScriptedLimiter:
    """Says what it is told to (numbers are permits to start then), then lets everything pass."""

    def __init__(self, *says: float | Refusal | ServiceError) -> None:
        self.says = deque(says)
        self.demands: list[Demand] = []
        self.results: list[Result] = []

    def reserve(self, demand: Demand, *, max_wait_s: float) -> Permit | Refusal:
        self.demands.append(demand)
        said = self.says.popleft() if self.says else 0.0
        if isinstance(said, ServiceError):
            raise said
        if isinstance(said, Refusal):
            return said
        return Permit("1", said, demand) if said <= max_wait_s else Refusal(said, "requests")

    def settle(self, permit: Permit, result: Result) -> None:
        self.results.append(result)


class Scene:
    """A pool of endpoints a, b, … with one limiter each."""

    def __init__(
        self, *limiters: ScriptedLimiter, weighted_by: Random | None = None, weights: tuple[float, ...] = ()
    ) -> None:
        self.clock, self.limiters = FakeClock(), limiters or (ScriptedLimiter(),)
        self.noted: list[LinknerError] = []
        self.llms = [FakeLlm(lambda prompt: "person", model=name) for name in "abc"[: len(self.limiters)]]
        self.pool = LlmPool(
            [
                LimitedLlm(
                    llm=llm,
                    limiter=limiter,
                    tariff=Tariff(endpoint=f"http://{llm.model}/v1", model=llm.model, price=PRICE),
                    weight=weight,
                    note=self.noted.append,
                )
                for llm, limiter, weight in zip(
                    self.llms, self.limiters, weights or (1.0,) * len(self.limiters), strict=True
                )
            ],
            clock=self.clock,
            max_wait_s=2.0,
            weighted_by=weighted_by,
        )

    def ask(self) -> str:
        reply, _ = self.pool.ask(PROMPT)
        return reply.model

    def fails_with(self, kind: type[ServiceError]) -> ServiceError:
        with pytest.raises(kind) as caught:
            self.pool.ask(PROMPT)
        return caught.value

    @property
    def asked(self) -> int:
        return sum(len(llm.asked) for llm in self.llms)


def test_a_call_goes_when_its_permit_says_and_is_recorded_with_its_endpoint_and_cost() -> None:
    scene = Scene(ScriptedLimiter(1.5))
    _, call = scene.pool.ask(PROMPT)
    assert scene.clock.slept == [1.5]
    assert (call.endpoint, call.model) == ("http://a/v1", "a")
    assert call.cost == PRICE.cost(call.usage)


def test_what_is_reserved_is_the_estimate_and_what_is_settled_the_use() -> None:
    scene = Scene()
    scene.ask()
    (limiter,) = scene.limiters
    (demand,), (result,) = limiter.demands, limiter.results
    assert (demand.prompt_tokens, demand.max_tokens) == (134, 10)
    assert demand.money == (134 + 4 * 10) / Decimal(1_000_000)
    assert (result.outcome, result.tokens) == ("answered", 100 + 2)
    assert result.money == (100 + 4 * 2) / Decimal(1_000_000)


class Sluggish(FakeClock):
    """A process that wakes up late, by so much each time."""

    def __init__(self, *late_s: float) -> None:
        super().__init__()
        self.late_s = deque(late_s)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + (self.late_s.popleft() if self.late_s else 0.0))


def test_a_permit_that_comes_too_late_is_given_back_and_another_taken() -> None:
    scene = Scene(ScriptedLimiter(1.0, 1.0))
    scene.pool._clock = Sluggish(TOO_LATE_S + 0.1, TOO_LATE_S - 0.1)
    assert scene.ask() == "a"
    unused, used = scene.limiters[0].results
    assert (unused.outcome, unused.tokens, unused.money) == ("unused", 0, 0)
    assert used.outcome == "answered"


def test_who_is_always_late_makes_no_call_and_says_so() -> None:
    scene = Scene(ScriptedLimiter(1.0, 1.0, 1.0))
    scene.pool._clock = Sluggish(*[TOO_LATE_S + 0.1] * 3)
    assert "too little CPU" in str(scene.fails_with(UnavailableError))
    assert scene.asked == 0
    assert {result.outcome for result in scene.limiters[0].results} == {"unused"}


def test_a_call_that_this_process_cut_off_says_nothing_of_its_endpoint_and_keeps_its_tokens() -> None:
    scene = Scene()
    scene.llms[0].failures.append(StoppedError("stopping", retry_after_s=0.0))
    scene.fails_with(StoppedError)
    (result,) = scene.limiters[0].results
    assert result == Result(outcome="unused", tokens=None, money=None)


def test_short_waits_pass_in_the_slot_and_long_ones_outside_it() -> None:
    scene = Scene(
        ScriptedLimiter(Refusal(0.5, "in_flight"), Refusal(1.0, "breaker"), Refusal(30.0, "breaker"))
    )
    error = scene.fails_with(UnavailableError)
    assert (scene.clock.slept, error.retry_after_s) == ([0.5, 1.0], 30.0)
    assert "breaker" in str(error)
    assert not scene.asked


def test_nobody_is_asked_where_the_limiter_is_away() -> None:
    scene = Scene(ScriptedLimiter(UnavailableError("redis is away", retry_after_s=5.0)))
    assert scene.fails_with(UnavailableError).retry_after_s == 5.0
    assert not scene.asked


def test_an_answer_is_kept_though_its_permit_cannot_be_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(permit: Permit, result: Result) -> None:
        raise UnavailableError("redis is away")

    scene = Scene()
    monkeypatch.setattr(scene.limiters[0], "settle", away)
    assert scene.ask() == "a"


@pytest.mark.parametrize(
    ("error", "outcome", "pause_s", "money"),
    [
        (UnavailableError("HTTP 500"), "failed", None, None),
        (NotReachedError("nobody listens"), "failed", None, 0),
        (UnavailableError("HTTP 429", retry_after_s=7.0), "later", 7.0, 0),
        (UnavailableError("no schema, please", retry_after_s=0.0), "answered", None, 0),
        (RejectedError("HTTP 400"), "answered", None, 0),
    ],
)
def test_the_limiter_learns_how_a_call_failed_and_that_a_refused_one_cost_nothing(
    error: ServiceError, outcome: str, pause_s: float | None, money: int | None
) -> None:
    scene = Scene()
    scene.llms[0].failures.append(error)
    scene.fails_with(type(error))
    (result,) = scene.limiters[0].results
    assert (result.outcome, result.said.pause_s, result.tokens) == (outcome, pause_s, None)
    assert result.money == money
    assert scene.noted == ([error] if outcome in {"failed", "later"} else [])


def test_no_endpoint_puts_a_question_off_for_longer_than_its_own_pause() -> None:
    scene = Scene()
    scene.llms[0].failures.append(UnavailableError("HTTP 503", retry_after_s=3_600.0))
    assert scene.fails_with(UnavailableError).retry_after_s == 600.0


def test_money_that_calls_in_flight_may_give_back_is_waited_for() -> None:
    scene = Scene(ScriptedLimiter(Refusal(1.0, "money_reserved"), Refusal(5.0, "money_reserved")))
    error = scene.fails_with(UnavailableError)
    assert not isinstance(error, BudgetSpentError)
    assert error.retry_after_s == 5.0


def test_the_first_endpoint_that_is_free_is_asked() -> None:
    scene = Scene(ScriptedLimiter(), ScriptedLimiter())
    assert [scene.ask(), scene.ask()] == ["a", "a"]


@pytest.mark.parametrize("reason", ["breaker", "money_per_hour", "money_per_day", "hold", "requests"])
def test_an_endpoint_that_may_not_be_asked_is_passed_over(reason: str) -> None:
    scene = Scene(
        ScriptedLimiter(Refusal(900.0, reason)), ScriptedLimiter(Refusal(900.0, reason)), ScriptedLimiter()
    )
    assert scene.ask() == "c"


def test_one_that_is_free_comes_before_a_wait_and_where_none_is_the_first_is_waited_for() -> None:
    assert Scene(ScriptedLimiter(1.0), ScriptedLimiter(0.0)).ask() == "b"
    waiting = Scene(ScriptedLimiter(1.0, 1.0), ScriptedLimiter(0.5, 0.5))
    assert waiting.ask() == "a"
    assert waiting.clock.slept == [1.0]


def test_spent_money_is_told_apart_from_other_refusals() -> None:
    spent, busy = Refusal(900.0, "money_per_hour"), Refusal(60.0, "breaker")
    assert Scene(ScriptedLimiter(spent)).fails_with(BudgetSpentError).retry_after_s == 900.0
    both = Scene(ScriptedLimiter(spent, spent), ScriptedLimiter(busy, busy)).fails_with(UnavailableError)
    assert not isinstance(both, BudgetSpentError)
    assert both.retry_after_s == 60.0


def test_a_question_told_to_wait_by_one_endpoint_soon_tries_another() -> None:
    scene = Scene(ScriptedLimiter(), ScriptedLimiter())
    scene.llms[0].failures.append(UnavailableError("HTTP 429", retry_after_s=300.0))
    assert scene.fails_with(UnavailableError).retry_after_s == 1.0
    assert scene.limiters[0].results[0].said == Said(pause_s=300.0)


def test_weights_share_the_questions_out() -> None:
    scene = Scene(ScriptedLimiter(), ScriptedLimiter(), weighted_by=Random(3), weights=(3.0, 1.0))
    shares = Counter(scene.ask() for _ in range(4_000))
    assert shares["a"] / shares.total() == pytest.approx(0.75, abs=0.03)


def test_the_estimate_of_a_prompt_follows_what_is_counted() -> None:
    tokens = PromptTokens()
    assert tokens.estimate(PROMPT) == 134
    for _ in range(200):
        tokens.learn(PROMPT, 100)
    assert tokens.estimate(PROMPT) == pytest.approx(100, abs=1)
    tokens.learn(PROMPT, 0)
    assert tokens.estimate(PROMPT) == pytest.approx(100, abs=1)


def test_letters_that_take_more_bytes_take_more_tokens() -> None:
    def estimate(user: str) -> int:
        return PromptTokens().estimate(Prompt("", user, 1, "v"))

    assert estimate("猫" * 30) == 3 * estimate("c" * 30)
