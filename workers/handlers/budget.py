"""Money: what a call cost, and whether more may be spent today."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from linkner.classification import Prompt
from linkner.pricing import Price, Usage, tokens_of
from workers.ports import Call, Clock, Ledger, Reply


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

    def estimate(self, prompt: Prompt) -> Decimal:
        """What a batched call may cost: an answer as long as it may be, nothing where no price is known."""
        if self.price is None:
            return Decimal(0)
        usage = Usage(tokens_of(len(prompt.system) + len(prompt.user)), prompt.max_tokens)
        return self.price.cost(usage, batched=True)


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
        is_limited = source in self.by_source or self.per_day is not None
        return is_limited and self.is_reached(source, self._today())

    def purse(self) -> Purse:
        """Money for calls that are paid for later, looked at now. Raises UnavailableError."""
        return Purse(self, dict(self.ledger.spent_today()))

    def is_reached(self, source: str, spent: Mapping[str, Decimal]) -> bool:
        """Whether nothing more may be asked for a source once so much is spent, by source."""
        own = self.by_source.get(source)
        if own is not None and spent.get(source, Decimal(0)) >= own:
            return True
        return self.per_day is not None and sum(spent.values(), Decimal(0)) >= self.per_day

    def _today(self) -> Mapping[str, Decimal]:
        with self._lock:
            if self.clock.monotonic() - self._read_at >= self.refresh_s:
                self._spent = self.ledger.spent_today()
                self._read_at = self.clock.monotonic()
            return self._spent


@dataclass(slots=True)
class Purse:
    """A budget to which what is taken out of it counts as spent at once; for one thread."""

    budget: Budget
    spent: dict[str, Decimal]
    taken: dict[str, Decimal] = field(default_factory=dict)

    def take(self, source: str, money: Decimal) -> bool:
        """Take money for a source, unless its budget is spent; whether it was taken."""
        if self.budget.is_reached(source, self.spent):
            return False
        for sums in (self.spent, self.taken):
            sums[source] = sums.get(source, Decimal(0)) + money
        return True
