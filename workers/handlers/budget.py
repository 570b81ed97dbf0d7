"""Money: what a call cost, and whether more may be spent today."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from linkner.pricing import Price
from workers.ports import Call, Clock, Ledger, Reply

BUDGET = "budget"
"""The reason on candidates that were not asked about because the day's budget was spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One model of one endpoint (its base URL), and its price where that is known."""

    endpoint: str
    model: str
    price: Price | None

    def call(self, reply: Reply, *, batched: bool = False) -> Call:
        """The call that this reply answered, for the record."""
        return Call(
            endpoint=self.endpoint,
            model=self.model,
            usage=reply.usage,
            cost=None if self.price is None else self.price.cost(reply.usage, batched=batched),
            replayed=reply.replayed,
            batched=batched,
        )


@dataclass(slots=True, kw_only=True)
class Budget:
    """What may be spent in a day (UTC), in all and by source; thread-safe.

    The record is looked at again after `refresh_s`: what all callers spend in that time, and the calls under
    way, may go beyond the budget. What must never be passed is a limit of the limiter.
    """

    ledger: Ledger
    clock: Clock
    per_day: Decimal | None = None
    by_source: Mapping[str, Decimal] = field(default_factory=dict)
    refresh_s: float = 1.0
    _spent: Mapping[str, Decimal] = field(default_factory=dict, init=False)
    _read_at: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def is_spent(self, source: str) -> bool:
        """Whether nothing more may be asked for a source today. Raises UnavailableError."""
        own = self.by_source.get(source)
        if own is None and self.per_day is None:
            return False
        spent = self._today()
        if own is not None and spent.get(source, Decimal(0)) >= own:
            return True
        return self.per_day is not None and sum(spent.values(), Decimal(0)) >= self.per_day

    def _today(self) -> Mapping[str, Decimal]:
        with self._lock:
            if self.clock.monotonic() - self._read_at >= self.refresh_s:
                self._spent = self.ledger.spent_today()
                self._read_at = self.clock.monotonic()
            return self._spent
