"""What consumers and operators read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from linkner.spans import DecidedBy
from workers.ports.queues import Stage
from workers.ports.troubles import Trouble


@dataclass(frozen=True, slots=True)
class EntityView:
    """One entity as a consumer sees it: code point offsets, surface, and how its label came about."""

    start: int
    end: int
    text: str
    label: str
    decided_by: DecidedBy
    reason: str | None
    probability: float
    uncertainty: float
    model: str
    llm_model: str | None
    prompt_version: str | None
    replayed: bool
    cached: bool


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document as a consumer sees it.

    `status` is `accepted` (nothing known yet), `provisional` (the local model's entities, questions open) or
    `final`. `reason` says why a final document has no local result (it could not be recognised).
    """

    document_id: int
    source: str
    external_id: str
    text: str
    created_at: datetime | None
    metadata: Mapping[str, Any]
    author: str | None
    accepted_at: datetime
    completed_at: datetime | None
    status: Literal["accepted", "provisional", "final"]
    revision: int
    reason: str | None
    entities: tuple[EntityView, ...]


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One finished revision of a document, or (None) the news that it was erased; a reader goes on after
    `cursor`."""

    cursor: int
    document_id: int
    document: DocumentView | None


@dataclass(frozen=True, slots=True)
class Counts:
    """One look at the whole store, each as counts by name.

    documents by state (accepted, recognised, classified, complete); questions by state (pending, claimed,
    answered, dead); ended-without-answer questions by reason; documents without a local result by reason, but
    for those dropped; `parked` messages; entities of complete documents by decided_by; `replayed` answers and
    `cached` ones (from the answer cache); `oldest_unfinished_s`: age of the oldest unfinished document.
    """

    documents: Mapping[str, int]
    questions: Mapping[str, int]
    dead_reasons: Mapping[str, int]
    dead_documents: Mapping[str, int]
    parked: int
    decided_by: Mapping[str, int]
    replayed: int
    cached: int
    oldest_unfinished_s: float


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the oldest of a stage's ids has waited, in seconds; 0 where none does.

    `due_s`: due, and in no message. `published_s`: in a message, and not claimed or handled since.
    """

    due_s: float
    published_s: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is under way, which costs little to look at, however much is finished.

    documents that are not complete and questions that are open, by state; `dead_documents`, `parked` and
    `oldest_unfinished_s` as in `Counts`; `unfinished` as `Reader.unfinished` has it; `batch_due_s`: how long
    the oldest question that no batch has yet has waited for one.
    """

    documents: Mapping[str, int]
    questions: Mapping[str, int]
    dead_documents: Mapping[str, int]
    parked: int
    oldest_unfinished_s: float
    unfinished: int
    waits: Mapping[Stage, Waits]
    batch_due_s: float
    troubles: Sequence[Trouble]


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """One look at the answer cache.

    `answers` kept and `promised` (being asked for) are rows of it, `oldest_s` is the oldest answer's age and
    `bytes` its size. Of all `answered` questions, `from_cache` were answered from it.
    """

    answers: int
    promised: int
    oldest_s: float
    bytes: int
    answered: int
    from_cache: int

    @property
    def hit_rate(self) -> float:
        """The share of answered questions that cost no call, in [0, 1]."""
        return self.from_cache / self.answered if self.answered else 0.0


class Reader(Protocol):
    """Read-only view of the store, for consumers and operators."""

    def document(self, document_id: int) -> DocumentView | None: ...

    def find(self, *, source: str, external_id: str) -> DocumentView | None: ...

    def feed(self, *, after: int, limit: int) -> list[FeedItem]:
        """What happened with cursor > after, in commit order: following it misses nothing.

        A document comes once for each revision; one that has been replaced since is left out. Of one that was
        erased only this is told, where the feed had shown it.
        """

    def answered(self, *, before: int, limit: int) -> list[DocumentView]:
        """Finished documents of id < before that an LLM was asked about and all of whose questions it
        answered, the newest first."""

    def counts(self) -> Counts:
        """Reads whole tables: for people, not for every request."""

    def backlog(self) -> Backlog:
        """What has not ended and what is to be seen to; its cost grows with that alone."""

    def cache(self) -> CacheCounts:
        """The answer cache as it is now. Reads whole tables, as `counts` does."""

    def unfinished(self, *, up_to: int | None = None) -> int:
        """Accepted documents that are not complete, but for those that wait for a batch.

        It counts no further than `up_to`, and takes the time of as many.
        """

    def ping(self) -> None:
        """Raises UnavailableError where the store cannot be reached or is not migrated."""
