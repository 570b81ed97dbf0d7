"""Whether any LLM endpoint takes questions, as their limiters say: what the relay and the batches go by."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from broker.limits import LimiterState
from linkner.errors import UnavailableError
from workers.ports import Clock

log = logging.getLogger("linkner.llm")


class LlmGate:
    """Shut while every endpoint `refuses`, by default because its breaker is open. For one thread."""

    def __init__(
        self,
        states: Sequence[Callable[[], LimiterState]],
        *,
        clock: Clock,
        refuses: Callable[[LimiterState], bool] = lambda state: state.is_down,
        every_s: float = 1.0,
    ) -> None:
        """Each of `states` looks at one endpoint's limiter; that is done at most every `every_s` seconds."""
        self._states = tuple(states)
        self._refuses = refuses
        self._clock = clock
        self._every_s = every_s
        self._looked_at = float("-inf")
        self._is_shut = False

    def is_shut(self) -> bool:
        """Whether questions would only come back. Where the state cannot be read they are sent as ever."""
        now = self._clock.monotonic()
        if now - self._looked_at >= self._every_s:
            self._looked_at = now
            was_shut, self._is_shut = self._is_shut, self._look()
            if self._is_shut != was_shut:
                log.warning("action=%s", "llm-gate-shut" if self._is_shut else "llm-gate-open")
        return self._is_shut

    def _look(self) -> bool:
        try:
            return bool(self._states) and all(self._refuses(state()) for state in self._states)
        except UnavailableError:
            return False
