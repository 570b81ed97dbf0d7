"""LLM calls and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from linkner.pricing import Usage


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was answered, readably or not: what it used, and its `cost` where its price is known.

    `model` is the one that was asked for. `batched` calls came through the endpoint's batch API.
    """

    endpoint: str
    model: str
    usage: Usage
    cost: Decimal | None
    replayed: bool
    batched: bool = False


CostsBy = Literal["source", "day", "model", "endpoint"]


@dataclass(frozen=True, slots=True)
class CostRow:
    """What the calls of one source, day (UTC), model or endpoint used and cost.

    `cost` leaves out the `unpriced` ones, whose price was not known. Of all calls, `replayed` went to no LLM.
    """

    name: str
    calls: int
    replayed: int
    unpriced: int
    prompt_tokens: int
    cached_prompt_tokens: int
    completion_tokens: int
    cost: Decimal


class Ledger(Protocol):
    """What LLM calls cost."""

    def costs(self, by: CostsBy, *, within_s: float) -> list[CostRow]:
        """The calls of the last `within_s`, in groups, by name."""

    def spent_today(self) -> Mapping[str, Decimal]:
        """The cost of this day's (UTC) calls, by source, and what batches under way will cost about."""
