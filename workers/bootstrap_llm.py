"""The part of the composition root that asks the LLM: endpoints, each with its limiter, tariff and client."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from broker.endpoints import Endpoint, api_key, chosen_endpoints
from broker.settings import Settings
from broker.stopping import after_stopping
from linkner.errors import ConfigurationError
from linkner.pricing import PriceTable, read_prices
from workers.clock import SystemClock
from workers.handlers.budget import Budget, Tariff
from workers.handlers.policies import Policies
from workers.ports import Ledger, Note, forget, of_llm

if TYPE_CHECKING:
    from broker.limiter import RedisLimiter
    from broker.limits import LimiterState
    from workers.batch_client import OpenAiBatches
    from workers.llm_client import OpenAiLlm
    from workers.llm_gate import LlmGate
    from workers.llm_pool import LlmPool

_MORE_CONNECTIONS = 8
"""To Redis, beside one for each slot: for looks at the state, and for more endpoints' at once."""


def tariffs(settings: Settings) -> list[Tariff]:
    """What each endpoint costs, in their order.

    Raises:
        ConfigurationError: there is a limit of money, but no price of what it is a limit of.
    """
    prices = read_prices(settings.llm_prices) if settings.llm_prices else PriceTable({})
    return [_tariff(endpoint, prices) for endpoint in chosen_endpoints(settings).all]


def _tariff(endpoint: Endpoint, prices: PriceTable) -> Tariff:
    price = prices.price(endpoint=endpoint.base_url, model=endpoint.model)
    tariff = Tariff(endpoint=endpoint.base_url, model=endpoint.model, price=price)
    if endpoint.limits.money_per_hour or endpoint.limits.money_per_day:
        _require_price(tariff)
    return tariff


def _require_price(tariff: Tariff) -> None:
    if tariff.price is None:
        raise ConfigurationError(
            "a budget needs to know what calls cost",
            expected=f"a price of {tariff.model} at {tariff.endpoint}",
            hint="set LINKNER_LLM_PRICES to a file that has it",
        )


def limiters(settings: Settings) -> dict[str, RedisLimiter]:
    """The limiter of each endpoint, by the endpoint's name. Raises ConfigurationError."""
    from broker.limiter import RedisLimiter
    from broker.redis_client import connect

    settings.require("redis_url")
    found = chosen_endpoints(settings)
    client = connect(settings.redis_url, connections=settings.llm_slots + _MORE_CONNECTIONS)
    lease_s = settings.lease_s(deadline_s=found.longest_deadline_s)
    return {
        one.name: RedisLimiter(
            client, prefix=f"{settings.key_prefix}llm:{one.name}", limits=one.limits, lease_s=lease_s
        )
        for one in found.all
    }


def llm_pool(settings: Settings, *, note: Note = forget) -> LlmPool:
    """All endpoints behind their limits; calls that hold up the end of a worker are cut off.

    Raises:
        ConfigurationError: an endpoint, its key or its prices cannot be used.
    """
    from workers.llm_pool import LimitedLlm, LlmPool

    found, limits = chosen_endpoints(settings), limiters(settings)
    clients = [_client(settings, endpoint) for endpoint in found.all]
    for client in clients:
        atexit.register(client.close)
        after_stopping(client.cut_off, after_s=settings.llm_stop_after_s)
    pool = [
        LimitedLlm(
            llm=client,
            limiter=limits[endpoint.name],
            tariff=tariff,
            weight=endpoint.weight,
            note=partial(note, of_llm(model=endpoint.model, endpoint=endpoint.url)),
        )
        for client, endpoint, tariff in zip(clients, found.all, tariffs(settings), strict=True)
    ]
    weighted_by = Random() if found.order == "weighted" else None
    return LlmPool(pool, clock=SystemClock(), max_wait_s=settings.llm_max_wait_s, weighted_by=weighted_by)


def _client(settings: Settings, endpoint: Endpoint) -> OpenAiLlm:
    from workers.llm_client import OpenAiLlm

    return OpenAiLlm(
        base_url=endpoint.base_url,
        api_key=api_key(endpoint, settings),
        model=endpoint.model,
        deadline_s=endpoint.deadline_s,
        connections=settings.llm_slots,
        structured_outputs=endpoint.structured_outputs,
    )


def llm_states(settings: Settings) -> list[tuple[Endpoint, Callable[[], LimiterState]]]:
    """Each endpoint with a look at its limits; none without an LLM or Redis."""
    if not (settings.has_llm and settings.redis_url):
        return []
    found = limiters(settings)
    return [(endpoint, found[endpoint.name].state) for endpoint in chosen_endpoints(settings).all]


def llm_gate(settings: Settings) -> LlmGate:
    """What tells whether any endpoint takes questions; without an LLM or Redis it always lets them pass."""
    return _gate([look for _, look in llm_states(settings)])


def batch_limits(settings: Settings) -> tuple[LlmGate, Callable[[Decimal], None]]:
    """The same for batches, which the first endpoint also refuses once its money is spent; and what counts
    the money that a batch cost."""
    found = list(limiters(settings).values())[:1] if settings.redis_url else []
    # A batch is sent as soon as a probe could be: nobody else may be there to make one.
    gate = _gate(
        [limiter.state for limiter in found],
        refuses=lambda state: state.breaker == "open" or state.money_is_spent,
    )
    return gate, found[0].spend if found else lambda _: None


def _gate(
    states: Sequence[Callable[[], LimiterState]],
    *,
    refuses: Callable[[LimiterState], bool] = lambda state: state.is_down,
) -> LlmGate:
    from workers.llm_gate import LlmGate

    return LlmGate(states, clock=SystemClock(), refuses=refuses)


def batch_llm(settings: Settings) -> OpenAiBatches:
    """The batch API of the first endpoint."""
    from workers.batch_client import OpenAiBatches

    first = chosen_endpoints(settings).all[0]
    return OpenAiBatches(base_url=first.base_url, api_key=api_key(first, settings), model=first.model)


def budget(settings: Settings, by_source: Policies, ledger: Ledger) -> Budget:
    """What may be spent in a day.

    Raises:
        ConfigurationError: there is a budget, but no price of a model that is asked.
    """
    if settings.budget_per_day or by_source.budgets:
        for tariff in tariffs(settings):
            _require_price(tariff)
    per_day = Decimal(str(settings.budget_per_day)) if settings.budget_per_day else None
    return Budget(ledger=ledger, clock=SystemClock(), per_day=per_day, by_source=by_source.budgets)
