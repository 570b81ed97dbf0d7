"""The gate by which the relay feeds the LLM's queue."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import pytest

from broker.limits import LimiterState, Limits
from linkner.errors import UnavailableError
from tests.fakes.clock import FakeClock
from workers.llm_gate import LlmGate

Breaker = Literal["closed", "open", "probing"]


def looks(*breakers: Breaker) -> list[Callable[[], LimiterState]]:
    def look(breaker: Breaker) -> Callable[[], LimiterState]:
        return lambda: LimiterState(limits=Limits(), breaker=breaker)

    return [look(breaker) for breaker in breakers]


@pytest.mark.parametrize(
    ("breakers", "is_shut"),
    [
        ((), False),
        (("closed",), False),
        (("open",), True),
        (("probing",), True),
        (("open", "closed"), False),
        (("open", "probing"), True),
    ],
)
def test_it_is_shut_while_no_endpoint_takes_questions(breakers: tuple[Breaker, ...], is_shut: bool) -> None:
    assert LlmGate(looks(*breakers), clock=FakeClock()).is_shut() is is_shut


def test_it_may_be_shut_for_another_reason() -> None:
    limits = Limits(money_per_day=Decimal(5))
    spent = [Decimal(4), Decimal(5)]

    def gate(money: Decimal) -> LlmGate:
        state = LimiterState(limits=limits, spent_day=money)
        return LlmGate([lambda: state], clock=FakeClock(), refuses=lambda state: state.money_is_spent)

    assert [gate(money).is_shut() for money in spent] == [False, True]


def test_it_looks_once_a_second_and_not_at_each_question() -> None:
    clock, seen = FakeClock(), []

    def look() -> LimiterState:
        seen.append(clock.monotonic())
        return LimiterState(limits=Limits(), breaker="open" if len(seen) == 1 else "closed")

    gate = LlmGate([look], clock=clock)
    assert [gate.is_shut() for _ in range(5)] == [True] * 5
    clock.sleep(1.0)
    assert not gate.is_shut()
    assert len(seen) == 2


def test_it_is_open_where_the_state_cannot_be_read() -> None:
    def away() -> LimiterState:
        raise UnavailableError("redis is away")

    assert not LlmGate([away], clock=FakeClock()).is_shut()
