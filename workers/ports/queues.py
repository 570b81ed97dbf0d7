"""Ids on their way from the store's outbox to the broker's queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

Stage = Literal["recognise", "classify", "aggregate"]
"""A queue that the relay feeds; the ids in it are documents', questions' and documents'."""


class Sender(Protocol):
    """Puts ids on a stage's queue."""

    def __call__(self, ids: Sequence[int]) -> None: ...


class Queues(Protocol):
    """The broker: hand-off of ids, which it may lose or repeat."""

    def send(self, stage: Stage, ids: Sequence[int]) -> None:
        """Publish one message. Raises UnavailableError where the broker does not take it."""

    def depth(self, stage: Stage) -> int:
        """Messages that wait in the stage's queue (not those being worked on)."""


class Outbox(Protocol):
    """The relay's view of the store."""

    def publish_due(self, stage: Stage, *, limit: int, send: Sender) -> int:
        """Hand up to `limit` due ids to `send` and mark them published; how many.

        Rows are locked (SKIP LOCKED) while they are sent: a crash in between sends them again.
        """

    def sweep(
        self, *, republish_after_s: float, deadline_s: float, document_deadline_s: float
    ) -> Mapping[str, int]:
        """Free expired leases, republish what was lost, end questions and unrecognised documents past their
        deadlines (with the reason `deadline`), move on documents whose questions have all ended; counts by
        kind. `deadline_s` is the age of questions whose documents have no deadline of their own."""

    def wait(self, *, timeout_s: float) -> bool:
        """Wait for news of due rows (LISTEN); False on time-out."""
