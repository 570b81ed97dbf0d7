"""What the gateway sees of its neighbours, without its threads waiting for one another.

A neighbour that does not answer is waited for by one thread at a time; whoever else asks meanwhile is told
what was seen last. Else a broker that hangs would, probe by probe, take all threads from those who post.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar, get_args

from broker.endpoints import Endpoint
from broker.limits import LimiterState
from linkner.errors import UnavailableError
from workers.gateway.wire import LlmStatus
from workers.ports import Backlog, Clock, Queues, Reader, Stage

MAX_AGE_S = 2.0
"""Requests closer together than this share one look."""

T = TypeVar("T")
LlmLimits = Sequence[tuple[Endpoint, Callable[[], LimiterState]]]
"""Each LLM endpoint, with a look at its limiter."""


class SharedLook(Generic[T]):
    """A look that may take long, shared by all threads: one at a time, kept for `max_age_s` after its end."""

    def __init__(
        self, look: Callable[[], T], *, clock: Clock, max_age_s: float, at_first: T | UnavailableError
    ) -> None:
        """`at_first` is what is told while the first look is under way."""
        self._look, self._clock, self._max_age_s = look, clock, max_age_s
        self._looking = Lock()
        self._seen_at, self._seen = float("-inf"), at_first

    def __call__(self) -> T:
        """What is seen. Raises UnavailableError where the look did."""
        is_old = self._clock.monotonic() - self._seen_at >= self._max_age_s
        if is_old and self._looking.acquire(blocking=False):
            try:
                self._look_again()
            finally:
                self._looking.release()
        seen = self._seen
        if isinstance(seen, UnavailableError):
            raise seen.with_traceback(None)  # else it would grow with each time that it is raised
        return seen

    def _look_again(self) -> None:
        try:
            self._seen = self._look()
        except UnavailableError as error:
            self._seen = error
        self._seen_at = self._clock.monotonic()


class Looks:
    """The looks at store, broker and LLM limits; `queues` and `llm` are None where there are none."""

    def __init__(self, *, reader: Reader, queues: Queues | None, clock: Clock, llm: LlmLimits = ()) -> None:
        def shared(look: Callable[[], T], of: str) -> SharedLook[T]:
            waiting = UnavailableError(f"{of} is being waited for")
            return SharedLook(look, clock=clock, max_age_s=MAX_AGE_S, at_first=waiting)

        self.store: SharedLook[None] = shared(reader.ping, "the store")
        self.backlog: SharedLook[Backlog] = shared(reader.backlog, "the store")
        self.queues = shared(lambda: _depths(queues), "the message broker") if queues else None
        self.llm = shared(lambda: _states(llm), "the LLM limits' state") if llm else None


def seen(look: SharedLook[T] | None, *, otherwise: T) -> tuple[str, T]:
    """`ok` and what is seen; else `unused`, or why nothing is seen, and `otherwise`."""
    if look is None:
        return "unused", otherwise
    try:
        return "ok", look()
    except UnavailableError as error:
        return error.problem, otherwise


def _depths(queues: Queues) -> dict[str, int]:
    """Messages that wait in each queue that the relay feeds."""
    return {stage: queues.depth(stage) for stage in get_args(Stage)}


def _states(llm: LlmLimits) -> list[LlmStatus]:
    return [LlmStatus.of(endpoint, state()) for endpoint, state in llm]
