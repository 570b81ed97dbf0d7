"""Erasing documents: which, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from linkner.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The documents to which everything that is given applies; nothing given would be all of them.

    Raises:
        InputError: nothing is given, or an external id without its source.
    """

    source: str | None = None
    external_id: str | None = None
    author: str | None = None
    accepted_before: datetime | None = None

    def __post_init__(self) -> None:
        if all(value is None for value in (self.source, self.author, self.accepted_before)):
            raise InputError(
                "it is not said which documents are meant",
                expected="a source and an external id, an author, a source, or a time",
            )
        if self.external_id is not None and self.source is None:
            raise InputError("an external id names a document only together with its source")


@dataclass(frozen=True, slots=True)
class Erased:
    """One batch of erased documents: how many, and the highest id among them, to go on after."""

    documents: int
    last_id: int


class Erasure(Protocol):
    """Removes documents with all that was found, asked and answered about them.

    What calls cost is kept. The feed tells readers which documents are gone; a post that is sent again
    afterwards is a new document. A worker with an erased document in hand finds nothing to write to.
    """

    def count(self, selection: Selection) -> int:
        """How many documents there are of it now."""

    def erase(self, selection: Selection, *, after: int, limit: int) -> Erased:
        """Erase up to `limit` of those with an id above `after`, in the order of ids."""

    def retire(self, *, older_than_s: float, limit: int) -> int:
        """Erase up to `limit` finished documents that were accepted before that, and forget up to as many
        erased ones that the feed has told of since before that, and parked messages; how many documents."""
