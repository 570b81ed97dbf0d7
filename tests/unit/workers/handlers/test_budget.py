"""A day's budget: in all, by source, whole again the next day, and not read at every question."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from linkner.classification import Prompt
from linkner.pricing import Price
from tests.fakes.clock import FakeClock
from workers.handlers.budget import Budget, Tariff
from workers.ports import Reply


class Ledger:
    def __init__(self, **spent: int) -> None:
        self.spent = {source: Decimal(cost) for source, cost in spent.items()}
        self.reads = 0

    def spent_today(self) -> Mapping[str, Decimal]:
        self.reads += 1
        return self.spent


def budget(ledger: Ledger, clock: FakeClock | None = None, **options: object) -> Budget:
    return Budget(ledger=ledger, clock=clock or FakeClock(), **options)


@pytest.mark.parametrize(("per_day", "spent"), [(None, False), (6, False), (5, True), (4, True)])
def test_the_whole_day_has_a_budget(per_day: int | None, spent: bool) -> None:
    limit = None if per_day is None else Decimal(per_day)
    assert budget(Ledger(a=2, b=3), per_day=limit).is_spent("c") == spent


def test_a_source_may_have_a_budget_of_its_own() -> None:
    found = budget(Ledger(a=2, b=3), by_source={"a": Decimal(2), "b": Decimal(4)})
    assert [found.is_spent(source) for source in "abc"] == [True, False, False]


def test_a_budget_of_nothing_is_spent() -> None:
    assert budget(Ledger(), by_source={"a": Decimal(0)}).is_spent("a")


def test_the_record_is_read_now_and_then() -> None:
    ledger, clock = Ledger(a=1), FakeClock()
    found = budget(ledger, clock, per_day=Decimal(2))
    assert not any(found.is_spent("a") for _ in range(100))
    ledger.spent["a"] = Decimal(2)
    clock.sleep(1.0)
    assert found.is_spent("a")
    assert ledger.reads == 2


def test_without_a_budget_nothing_is_read() -> None:
    ledger = Ledger(a=1)
    assert not budget(ledger).is_spent("a")
    assert ledger.reads == 0


def test_what_is_taken_from_a_purse_counts_at_once() -> None:
    ledger = Ledger(a=1)
    purse = budget(ledger, per_day=Decimal(9), by_source={"a": Decimal(3)}).purse()
    assert [purse.take("a", Decimal(1)) for _ in range(3)] == [True, True, False]
    assert [purse.take("b", Decimal(4)) for _ in range(3)] == [True, True, False], (
        "the day's budget is reached"
    )
    assert purse.taken == {"a": 2, "b": 8}
    assert ledger.spent == {"a": 1}


def test_an_estimate_is_of_an_answer_as_long_as_it_may_be() -> None:
    price = Price(prompt=Decimal(2), completion=Decimal(10), cached_prompt=Decimal(1))
    prompt = Prompt(system="s" * 400, user="u" * 399, max_tokens=16, version="v")
    known = Tariff(endpoint="e", model="m", price=price).estimate(prompt)
    assert known == Decimal("0.00028"), "half of 200 prompt tokens at 2 and 16 at 10, for a million"
    assert Tariff(endpoint="e", model="m", price=None).estimate(prompt) == 0


def test_a_call_without_a_price_has_no_cost() -> None:
    reply = Reply("person", "m-2026", 100, 1, replayed=False, cached_prompt_tokens=64)
    price = Price(prompt=Decimal(1), completion=Decimal(1), cached_prompt=Decimal(1))
    known = Tariff(endpoint="e", model="m", price=price).call(reply)
    unknown = Tariff(endpoint="e", model="m", price=None).call(reply)
    assert (known.cost, unknown.cost) == (Decimal("0.000101"), None)
    assert (known.model, known.usage.cached_prompt) == ("m", 64)
