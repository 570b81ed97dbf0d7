"""The store in memory: what LLM calls cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import as_time
from workers.ports import Call, CostRow, CostsBy


class Ledger(Memory):
    """ports.Ledger."""

    def costs(self, by: CostsBy, *, within_s: float) -> list[CostRow]:
        groups: dict[str, list[Call]] = {}
        for called_at, source, call in self._calls:
            if called_at > self.now - within_s:
                names = {"source": source, "model": call.model, "endpoint": call.endpoint}
                names["day"] = f"{as_time(called_at):%Y-%m-%d}"
                groups.setdefault(names[by], []).append(call)
        return [_cost_row(name, calls) for name, calls in sorted(groups.items())]

    def spent_today(self) -> Mapping[str, Decimal]:
        spent: dict[str, Decimal] = {}
        for called_at, source, call in self._calls:
            if as_time(called_at).date() == as_time(self.now).date() and call.cost is not None:
                spent[source] = spent.get(source, Decimal(0)) + call.cost
        for estimate in self._expected.values():
            for source, cost in estimate.items():
                spent[source] = spent.get(source, Decimal(0)) + cost
        return spent


def _cost_row(name: str, calls: Sequence[Call]) -> CostRow:
    return CostRow(
        name=name,
        calls=len(calls),
        replayed=sum(call.replayed for call in calls),
        unpriced=sum(call.cost is None for call in calls),
        prompt_tokens=sum(call.usage.prompt for call in calls),
        cached_prompt_tokens=sum(call.usage.cached_prompt for call in calls),
        completion_tokens=sum(call.usage.completion for call in calls),
        cost=sum((call.cost or Decimal(0) for call in calls), Decimal(0)),
    )
