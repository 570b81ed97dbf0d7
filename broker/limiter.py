"""The limiter and circuit breaker of one LLM endpoint: Lua scripts in Redis, on the server's clock.

All callers of one endpoint share its state, whatever process or machine they run on. The scripts are in
`broker/lua`; `broker.limits` explains the arithmetic.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from importlib.resources import files
from typing import Any, cast

import redis

from broker.limits import (
    LIMIT_NAMES,
    MICROS,
    NOTHING_SAID,
    Demand,
    LimiterState,
    Limits,
    Permit,
    Reason,
    Refusal,
    Result,
    Said,
)
from linkner.errors import ConfigurationError, UnavailableError

SERVER_CLOCK = "local time = redis.call('TIME') local now = time[1] * 1e6 + time[2]"
"""What gives the scripts their `now`; tests put a clock of their own in its place."""

_NANOS = 1_000_000_000
_RETRY_S = 5.0


class RedisLimiter:
    """The limits of one endpoint in Redis, under keys that begin with `prefix`."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        prefix: str,
        limits: Limits,
        lease_s: float,
        clock: str = SERVER_CLOCK,
    ) -> None:
        """`limits` hold unless others are set while running. A permit not settled after `lease_s` lapses."""
        self._client = client
        # The braces have a cluster keep them on one node.
        self._keys = [f"{{{prefix}}}:{name}" for name in ("state", "in-flight", "limits", "tokens")]
        self._limits = limits
        self._configured = {name: _number(name, value) for name, value in asdict(limits).items()}
        self._lease = round(lease_s * MICROS)
        self._scripts = {
            name: client.register_script("\n".join((clock, _source("prelude"), _source(name))))
            for name in ("reserve", "settle", "spend", "look")
        }

    def reserve(self, demand: Demand, *, max_wait_s: float) -> Permit | Refusal:
        """A permit to start within `max_wait_s`, with everything that the call may take, or a refusal.

        Who is refused for the pace is told to come back after those who were told so before, but with a
        `max_wait_s` of 0, which is a look whether a call could go at once.

        Raises:
            UnavailableError: Redis does not answer or refuses; no call may be made then (fails closed).
        """
        permit, wait, reason = self._run(
            "reserve",
            id=uuid.uuid4().hex,
            tokens=demand.tokens,
            money=_nanos(demand.money),
            max_wait=round(max_wait_s * MICROS),
            lease=self._lease,
        )
        if permit:
            return Permit(permit.decode(), wait / MICROS, demand)
        return Refusal(wait / MICROS, cast(Reason, reason.decode()))

    def settle(self, permit: Permit, result: Result) -> None:
        """Tell how the call of a permit ended; a second time changes nothing but the breaker's counts.

        Raises:
            UnavailableError: as `reserve`. The permit then lapses, and what the call left over stays taken.
        """
        demand, said = permit.demand, result.said
        tokens = demand.tokens if result.tokens is None else result.tokens
        money = demand.money if result.money is None else result.money
        self._run(
            "settle",
            permit=permit.id,
            tokens=tokens - demand.tokens,
            money=_nanos(money - demand.money),
            outcome=result.outcome,
            pause=round((said.pause_s or 0) * MICROS),
            said_requests=said.requests_per_minute or 0,
            said_tokens=said.tokens_per_minute or 0,
        )

    def spend(self, money: Decimal) -> None:
        """Count money that was spent without a permit, now, by a batch. Raises as `settle`."""
        self._run("spend", money=_nanos(money))

    def state(self) -> LimiterState:
        """One look at everything. Raises UnavailableError."""
        now, state, overrides, in_flight = self._run("look")
        return _read(int(now), _hash(state), _hash(overrides), in_flight, self._limits)

    def override(self, changes: Mapping[str, int | Decimal | None]) -> None:
        """Set limits for all callers at once, in place of the configured ones; None returns to those.

        Raises:
            ConfigurationError: there is no limit of that name, or it cannot have that value.
            UnavailableError: Redis does not answer.
        """
        unknown = [name for name in changes if name not in LIMIT_NAMES]
        if unknown:
            raise ConfigurationError(
                "unknown limit", expected=f"one of {', '.join(LIMIT_NAMES)}", got=", ".join(unknown)
            )
        given = {name: value for name, value in changes.items() if value is not None}
        Limits(**cast(Any, given))
        dropped = [name for name, value in changes.items() if value is None]
        try:
            if given:
                mapping = {name: _number(name, value) for name, value in given.items()}
                self._client.hset(self._keys[2], mapping=cast(Any, mapping))
            if dropped:
                self._client.hdel(self._keys[2], *dropped)
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def _run(self, name: str, **asked: object) -> Any:
        body = json.dumps({**asked, "limits": self._configured})
        try:
            return self._scripts[name](keys=self._keys, args=[body])
        except redis.RedisError as error:
            raise _unavailable(error) from error


def _source(name: str) -> str:
    return files("broker.lua").joinpath(f"{name}.lua").read_text(encoding="utf-8")


def _unavailable(error: redis.RedisError) -> UnavailableError:
    # With a time to come back, as the question is not at fault.
    return UnavailableError(
        "the limiter's state in Redis cannot be reached",
        got=type(error).__name__,
        hint="no LLM call is made until Redis answers; check that it runs and accepts writes",
        retry_after_s=_RETRY_S,
    )


def _nanos(money: Decimal) -> int:
    return round(money * _NANOS)


def _number(name: str, value: int | Decimal) -> int:
    """A limit as the scripts have it."""
    return _nanos(Decimal(value)) if name.startswith("money") else int(value)


def _limit(name: str, number: float) -> int | Decimal:
    """The inverse of `_number`."""
    return _money(number) if name.startswith("money") else int(number)


def _money(nanos: float) -> Decimal:
    return Decimal(round(nanos)) / _NANOS


def _hash(flat: list[bytes]) -> dict[str, float]:
    return {name.decode(): float(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _read(
    now: int, state: Mapping[str, float], overrides: Mapping[str, float], in_flight: int, limits: Limits
) -> LimiterState:
    def after(name: str) -> float:
        return max(0.0, (state.get(name, 0) - now) / MICROS)

    def spent(period: str, length_s: int) -> Decimal:
        current = state.get(period) == now // (length_s * MICROS)
        return _money(state[f"{period}_spent"]) if current else Decimal(0)

    found = {name: _limit(name, value) for name, value in overrides.items()}
    requests, tokens = (_whole(state.get(name)) for name in ("said_requests", "said_tokens"))
    said = Said(requests, tokens) if state.get("said_until", 0) > now else NOTHING_SAID
    is_open = state.get("trips", 0) > 0
    return LimiterState(
        limits=said.lowering(replace(limits, **cast(Any, found))),
        overrides=found,
        said=said,
        in_flight=in_flight,
        spent_hour=spent("hour", 3600),
        spent_day=spent("day", 86_400),
        breaker="closed" if not is_open else "open" if after("open_until") else "probing",
        open_s=after("open_until") if is_open else 0.0,
        hold_s=after("hold_until"),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
