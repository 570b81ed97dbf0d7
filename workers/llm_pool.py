"""ports.Llms: the endpoints that may be asked, each behind its limits, in an order of preference."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from broker.limits import LATENESS_S, Demand, Permit, Refusal, Result, Said
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
from linkner.pricing import Usage
from workers.handlers.budget import Tariff
from workers.ports import Call, Clock, Limiter, Llm, Reply

log = logging.getLogger("linkner.llm")

_MONEY = ("money_per_hour", "money_per_day")
_SOONEST_BACK_S = 0.5
_ELSEWHERE_S = 1.0
_LONGEST_PAUSE_S = 600.0  # as the limiter's own, whatever an endpoint says
_TRIES = 3
_NOTHING = Decimal(0)
TOO_LATE_S = LATENESS_S / 2
"""How late a call may be sent off: the limiter reckons with LATENESS_S until it reaches the endpoint."""


@dataclass(slots=True)
class PromptTokens:
    """Estimates a prompt's tokens from its size: the ratio follows what the endpoint has counted so far.

    It begins at a token for every 3 bytes, which is high for English. Threads may share it: what one of them
    overwrites, the next calls teach again.
    """

    per_byte: float = 1 / 3
    weight: float = 0.05

    def estimate(self, prompt: Prompt) -> int:
        """Tokens, at least 1."""
        return max(1, math.ceil(_size(prompt) * self.per_byte))

    def learn(self, prompt: Prompt, tokens: int) -> None:
        """Take in what the endpoint counted; 0 is no count."""
        if tokens > 0:
            self.per_byte += self.weight * (tokens / _size(prompt) - self.per_byte)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedLlm:
    """One endpoint of the pool. `weight` is its share of the questions where no order is kept; `note` is told
    of calls that came to nothing, and of pauses that the endpoint asked for."""

    llm: Llm
    limiter: Limiter
    tariff: Tariff
    weight: float = 1.0
    prompt_tokens: PromptTokens = field(default_factory=PromptTokens)
    note: Callable[[LinknerError], None] = lambda _: None

    def demand(self, prompt: Prompt) -> Demand:
        """What a call may take at most, if the estimate of its prompt is right."""
        tokens = self.prompt_tokens.estimate(prompt)
        return Demand(
            prompt_tokens=tokens,
            max_tokens=prompt.max_tokens,
            money=self._cost(Usage(tokens, prompt.max_tokens)),
        )

    def ask(self, prompt: Prompt, permit: Permit) -> Reply:
        """The call that a permit is for, settled however it ends. Raises what the endpoint's client does."""
        try:
            reply = self.llm.ask(prompt)
        except RejectedError:
            self._settle(permit, Result(outcome="answered", money=_NOTHING))
            raise
        except StoppedError:
            self._settle(permit, Result(outcome="unused"))  # the endpoint may count it all the same
            raise
        except UnavailableError as error:
            self._settle(permit, self._result(error))
            raise
        self.prompt_tokens.learn(prompt, reply.prompt_tokens)
        used = reply.prompt_tokens + reply.completion_tokens
        money = self._cost(reply.usage) if used else None
        self._settle(permit, Result(outcome="answered", tokens=used or None, money=money, said=reply.said))
        return reply

    def give_back(self, permit: Permit) -> None:
        """A permit whose call is not made."""
        self._settle(permit, Result(outcome="unused", tokens=0, money=_NOTHING))

    def _result(self, error: UnavailableError) -> Result:
        """What a call without an answer came to. One that was refused, or never got there, costs nothing; one
        that broke off may."""
        if error.retry_after_s == 0:  # the endpoint is well, and wants to be asked in another way
            return Result(outcome="answered", money=_NOTHING)
        self.note(error)
        if error.retry_after_s is None:
            return Result(outcome="failed", money=_NOTHING if isinstance(error, NotReachedError) else None)
        log.warning("action=told-to-wait endpoint=%s error=%s", self.tariff.endpoint, error)
        return Result(outcome="later", money=_NOTHING, said=Said(pause_s=error.retry_after_s))

    def _settle(self, permit: Permit, result: Result) -> None:
        """An answer is not thrown away because its permit could not be settled: that lapses by itself."""
        try:
            self.limiter.settle(permit, result)
        except ServiceError as error:
            log.warning("action=unsettled error=%s", error)

    def _cost(self, usage: Usage) -> Decimal:
        return self.tariff.price.cost(usage) if self.tariff.price else _NOTHING


class LlmPool:
    """Asks the first endpoint in order that may be asked now, else waits for the first that soon may.

    An endpoint whose breaker is open or whose money is spent is passed over. No call is repeated at another
    endpoint: the question comes back, and finds the breaker as the failed call left it.
    """

    def __init__(
        self,
        endpoints: Sequence[LimitedLlm],
        *,
        clock: Clock,
        max_wait_s: float,
        weighted_by: Random | None = None,
    ) -> None:
        """`weighted_by` draws an order for each question, by the endpoints' weights; else theirs is kept."""
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._weighted_by = weighted_by

    @property
    def models(self) -> str:
        """The names of all models, for what answers of any of them are good for."""
        return "|".join(dict.fromkeys(endpoint.tariff.model for endpoint in self._endpoints))

    def ask(self, prompt: Prompt) -> tuple[Reply, Call]:
        """One call, within the limits.

        Raises:
            BudgetSpentError: every endpoint's money is spent.
            UnavailableError: none may be asked soon, the one that was asked did not answer, or this process
                came too late for its permit.
            RejectedError: the endpoint refused this request for good.
        """
        endpoint, permit = self._permit_in_time(prompt)
        try:
            reply = endpoint.ask(prompt, permit)
        except UnavailableError as error:
            if error.retry_after_s:
                longest = _ELSEWHERE_S if len(self._endpoints) > 1 else _LONGEST_PAUSE_S
                error.retry_after_s = min(error.retry_after_s, longest)
            raise
        return reply, endpoint.tariff.call(reply)

    def _permit_in_time(self, prompt: Prompt) -> tuple[LimitedLlm, Permit]:
        """A permit whose time has just come. One that this process woke up too late for is given back."""
        for _ in range(_TRIES):
            endpoint, permit, asked_at = self._permit(prompt)
            if permit.wait_s > 0:
                self._clock.sleep(permit.wait_s)
            if self._clock.monotonic() - asked_at - permit.wait_s <= TOO_LATE_S:
                return endpoint, permit
            endpoint.give_back(permit)
        raise UnavailableError(
            "this process comes too late for its permits",
            expected=f"to be within {TOO_LATE_S:g} s of them",
            hint="it has too little CPU: give it fewer slots, or another machine",
            retry_after_s=_SOONEST_BACK_S,
        )

    def _permit(self, prompt: Prompt) -> tuple[LimitedLlm, Permit, float]:
        """The endpoint to ask, the permit for it, and when that was asked for; short waits pass here."""
        give_up = self._clock.monotonic() + self._max_wait_s
        order = self._order()
        while True:
            left_s = max(0.0, give_up - self._clock.monotonic())
            refusals: list[Refusal] = []
            # Where there are several, whoever is free now comes before a wait for the first.
            for wait_s in (0.0, left_s) if len(order) > 1 and left_s else (left_s,):
                refusals = []
                for endpoint in order:
                    asked_at = self._clock.monotonic()
                    found = endpoint.limiter.reserve(endpoint.demand(prompt), max_wait_s=wait_s)
                    if isinstance(found, Permit):
                        return endpoint, found, asked_at
                    refusals.append(found)
            soonest = min(refusal.wait_s for refusal in refusals)
            if soonest > left_s or not left_s:
                raise _not_now(refusals, soonest)
            self._clock.sleep(soonest)

    def _order(self) -> Sequence[LimitedLlm]:
        if self._weighted_by is None or len(self._endpoints) == 1:
            return self._endpoints
        # Exponential variates divided by the weights come in a random order by weight.
        draw = self._weighted_by.expovariate
        return sorted(self._endpoints, key=lambda endpoint: draw(1.0) / endpoint.weight)


def _not_now(refusals: Sequence[Refusal], wait_s: float) -> UnavailableError:
    reasons = ", ".join(sorted({refusal.reason for refusal in refusals}))
    kind = BudgetSpentError if all(refusal.reason in _MONEY for refusal in refusals) else UnavailableError
    return kind(
        "no LLM endpoint may be asked now",
        got=f"limits reached: {reasons}",
        retry_after_s=max(wait_s, _SOONEST_BACK_S),
    )


def _size(prompt: Prompt) -> int:
    return max(1, len(prompt.system.encode()) + len(prompt.user.encode()))
