"""The relay: moves due ids from the store to the queues, never more than the queues should hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from workers.ports import Clock, Erasure, Outbox, Queues, Stage

RETIRED_AT_ONCE = 500
"""Most documents that one transaction of the sweep erases for their age: nobody waits for it for long."""

_RETIRING_ROUNDS = 10

PROBES = 4
"""Questions that wait in the queue while no LLM endpoint takes any: one of them finds out that one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFeed:
    """One queue that the relay feeds: how many ids a message carries, how many messages may wait."""

    stage: Stage
    chunk: int
    depth: int


@dataclass(slots=True, kw_only=True)
class Relay:
    """Feeds every queue, and sweeps now and then; `retention_s` is the age that finished documents reach.

    Bounded depth is the backpressure: what the queues do not hold waits in the store, where it is safe. While
    `llm_is_down`, questions would only go round in circles: no more of them are sent than a probe needs.
    """

    outbox: Outbox
    queues: Queues
    feeds: Sequence[QueueFeed]
    clock: Clock
    republish_after_s: float
    deadline_s: float
    document_deadline_s: float
    poll_s: float
    erasure: Erasure | None = None
    retention_s: float | None = None
    llm_is_down: Callable[[], bool] = lambda: False
    sweep_every_s: float = 5.0
    _swept_at: float = field(default=float("-inf"), init=False)

    def step(self) -> Mapping[str, int]:
        """Sweep if it is time, publish what is due and fits, wait where there was nothing; counts by kind."""
        counts = dict(self._sweep_if_due())
        full = False
        for feed in self.feeds:
            published, feed_full = self._feed(feed)
            counts[feed.stage] = published
            full = full or feed_full
        if not any(counts[feed.stage] for feed in self.feeds):
            # No notification comes when a full queue drains: look again soon.
            self.outbox.wait(timeout_s=min(self.poll_s, 0.05) if full else self.poll_s)
        return counts

    def _feed(self, feed: QueueFeed) -> tuple[int, bool]:
        shut = feed.stage == "classify" and self.llm_is_down()
        room = (min(PROBES, feed.depth) if shut else feed.depth) - self.queues.depth(feed.stage)
        if room <= 0:
            return 0, True

        def send(ids: Sequence[int]) -> None:
            for start in range(0, len(ids), feed.chunk):
                self.queues.send(feed.stage, ids[start : start + feed.chunk])

        published = self.outbox.publish_due(feed.stage, limit=room * feed.chunk, send=send)
        return published, published == room * feed.chunk

    def _sweep_if_due(self) -> Mapping[str, int]:
        now = self.clock.monotonic()
        if now - self._swept_at < self.sweep_every_s:
            return {}
        self._swept_at = now
        swept = self.outbox.sweep(
            republish_after_s=self.republish_after_s,
            deadline_s=self.deadline_s,
            document_deadline_s=self.document_deadline_s,
        )
        return {**swept, "retired": self._retire()}

    def _retire(self) -> int:
        """Erase what is too old, at most some thousands a sweep: the queues are to be fed meanwhile."""
        retired = 0
        if self.erasure is not None and self.retention_s is not None:
            for _ in range(_RETIRING_ROUNDS):
                count = self.erasure.retire(older_than_s=self.retention_s, limit=RETIRED_AT_ONCE)
                retired += count
                if count < RETIRED_AT_ONCE:
                    break
        return retired
