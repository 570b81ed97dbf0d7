"""Questions that are asked in batches, as the store keeps them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from linkner.spans import Span
from workers.ports.ledger import Call


@dataclass(frozen=True, slots=True)
class BatchedQuestion:
    """A question of a batch; `dead` means that it has ended without an answer."""

    question_id: int
    document_id: int
    source: str
    text: str
    candidates: tuple[Span, ...]
    state: Literal["open", "answered", "dead"]


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch that is under way. `provider_id` is None until it is known that the provider has it.

    Its age counts from when it was sent off, else from when it was made.
    """

    batch_id: int
    name: str
    provider_id: str | None
    age_s: float


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as an operator sees it: how many of its questions wait for it, and how many it answered."""

    name: str
    state: Literal["preparing", "submitted", "closed"]
    provider_id: str | None
    created_at: datetime
    ended_at: datetime | None
    error: str | None
    waiting: int
    answered: int


NO_QUESTION = 0
"""The question of a call whose own one is not in the batch any more: its document was erased."""


class Batches(Protocol):
    """The store's view of questions that are asked in batches. Every method is one transaction."""

    def gather(self, *, at_least: int, at_most: int, after_s: float) -> StoredBatch | None:
        """Make a batch of waiting questions, if there are so many, or one has waited so long."""

    def open(self) -> list[StoredBatch]:
        """The batches under way, the oldest first."""

    def members(self, batch_id: int) -> list[BatchedQuestion]:
        """The questions of a batch, by id."""

    def sending(self, batch_id: int, *, estimate: Mapping[str, Decimal]) -> bool:
        """Write down that a batch is sent off now; False where it has been closed, and must not be.

        `estimate` is what it costs about, by source: a budget reckons with it until the batch is paid.
        """

    def submitted(self, batch_id: int, *, provider_id: str) -> bool:
        """Write down what the provider calls the batch; False where it has been closed meanwhile."""

    def paid(self, batch_id: int, calls: Sequence[tuple[int, Call]]) -> bool:
        """Record the calls that a batch was, each by a question that it answers; False where that was done.

        To be called before results are settled: questions that are to be asked again leave the batch.
        """

    def close(self, batch_id: int, *, error: str | None) -> None:
        """End a batch; questions that are still open wait for the next one."""

    def known(self, keys: Collection[bytes], *, max_age_s: float) -> set[bytes]:
        """Those keys that the answer cache has an answer to, younger than `max_age_s`."""

    def reopen_late(self, batch_id: int, question_ids: Collection[int]) -> int:
        """Open those of these questions again that the batch's answer comes too late for; how many.

        Their documents open with them, and their attempts go on counting.
        """
