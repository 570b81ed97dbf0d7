"""The relay: moves due ids from the store to the queues, never more than the queues should hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from workers.ports import Clock, Erasure, Note, Outbox, Queues, Stage, forget

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

    A queue is filled up when it is half empty, and no step follows another within `step_s`: ids that become
    due one by one go together, which saves most of the transactions of relay and aggregator. `note` is for
    whoever runs the steps: it is told what they end with.
    """

    outbox: Outbox
    queues: Queues
    feeds: Sequence[QueueFeed]
    clock: Clock
    republish_after_s: float
    deadline_s: float
    document_deadline_s: float
    poll_s: float
    step_s: float
    erasure: Erasure | None = None
    retention_s: float | None = None
    llm_is_down: Callable[[], bool] = lambda: False
    sweep_every_s: float = 5.0
    note: Note = forget
    _swept_at: float = field(default=float("-inf"), init=False)

    def step(self) -> Mapping[str, int]:
        """Sweep if it is time, publish what is due and fits, wait for more; counts by kind."""
        began = self.clock.monotonic()
        counts = dict(self._sweep_if_due())
        full = False
        for feed in self.feeds:
            published, feed_full = self._feed(feed)
            counts[feed.stage] = published
            full = full or feed_full
        # No notification comes when a full queue drains: look again soon.
        self.outbox.wait(timeout_s=min(self.poll_s, self.step_s) if full else self.poll_s)
        self.clock.sleep(max(0.0, began + self.step_s - self.clock.monotonic()))
        return counts

    def _feed(self, feed: QueueFeed) -> tuple[int, bool]:
        """How many ids were published, and whether the queue may have left some waiting."""
        depth = self.queues.depth(feed.stage)
        shut = feed.stage == "classify" and self.llm_is_down()
        most, refill_at = (min(PROBES, feed.depth), PROBES) if shut else (feed.depth, feed.depth // 2)
        room = most - depth
        if room <= 0 or depth > refill_at:
            return 0, True

        chunk = 1 if shut else feed.chunk

        def send(ids: Sequence[int]) -> None:
            for start in range(0, len(ids), chunk):
                self.queues.send(feed.stage, ids[start : start + chunk])

        published = self.outbox.publish_due(feed.stage, limit=room * chunk, send=send)
        return published, published == room * chunk

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
