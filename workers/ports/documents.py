"""Documents on their way to recognition, and the recogniser's result for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from linkner.spans import Recognition, ScoredSpan

Lane = Literal["now", "batch", "never"]
"""When a document is asked about: as soon as possible, within a day for half the price, or not at all."""

QuestionLane = Literal["now", "batch"]
"""The lane of a question: one that is never asked is recorded as ended, in the lane `now`."""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A post as a producer sends it, already checked: bounded, no NUL, no lone surrogates.

    `lane` and `deadline_s` (from when it is accepted) hold for this post; None leaves them to its source.
    `author` is who wrote it there: all of an author's posts can be erased at once.
    """

    source: str
    external_id: str
    text: str
    created_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane | None = None
    deadline_s: float | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one NewDocument: its id, and whether it was there before (`duplicate`).

    `conflict` is true where a document of that source and external id exists with another text; the stored
    one is kept.
    """

    document_id: int
    duplicate: bool
    conflict: bool


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of one stored document, and how often its recognition was begun before.

    `lane` and `deadline_s` are those that the document came with.
    """

    document_id: int
    source: str
    text: str
    attempts: int
    lane: Lane | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """The recogniser's result for one document, with the questions to ask of it.

    Each question is the spans of its candidates. `skip_reason` set means that they are not to be asked
    (`no-llm`): they are recorded as ended with that reason. `deadline_s` after the document was accepted they
    end unanswered; None leaves that to the sweep.
    """

    document_id: int
    model: str
    recognition: Recognition
    questions: tuple[tuple[ScoredSpan, ...], ...]
    skip_reason: str | None = None
    deadline_s: float | None = None
    lane: QuestionLane = "now"
