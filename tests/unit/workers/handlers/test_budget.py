"""A day's budget: in all, by source, whole again the next day, and not read at every question."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

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


def test_a_call_without_a_price_has_no_cost() -> None:
    reply = Reply("person", "m-2026", 100, 1, replayed=False, cached_prompt_tokens=64)
    price = Price(prompt=Decimal(1), completion=Decimal(1), cached_prompt=Decimal(1))
    known = Tariff(endpoint="e", model="m", price=price).call(reply)
    unknown = Tariff(endpoint="e", model="m", price=None).call(reply)
    assert (known.cost, unknown.cost) == (Decimal("0.000101"), None)
    assert (known.model, known.usage.cached_prompt) == ("m", 64)
