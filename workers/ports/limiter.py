"""The limits of an LLM endpoint."""

from __future__ import annotations

from typing import Protocol

from broker.limits import Demand, Permit, Refusal, Result


class Limiter(Protocol):
    """The limits and the circuit breaker of one LLM endpoint, shared by all callers."""

    def reserve(self, demand: Demand, *, max_wait_s: float) -> Permit | Refusal:
        """A permit to start within `max_wait_s`, with all that the call may take, or a refusal and nothing.

        Fails closed: raises UnavailableError where the state cannot be reached.
        """

    def settle(self, permit: Permit, result: Result) -> None:
        """Tell how the call of a permit ended, which gives back what it did not take."""
