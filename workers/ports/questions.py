"""Questions to the LLM: how they are held, answered, shared and joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from linkner.spans import LabelledSpan, ScoredSpan, Span
from workers.ports.ledger import Call


@dataclass(frozen=True, slots=True)
class ClaimedQuestion:
    """A question that this caller holds until its lease ends. `fence` must come back with the answer."""

    question_id: int
    document_id: int
    fence: int
    attempts: int
    source: str
    text: str
    candidates: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The LLM's answer to one question: a label (`OUTSIDE` for Non-entity) for each candidate.

    Those that the reply says nothing of are missing. `proposals` are what the LLM added to the candidates.
    `replayed` is true where the reply was recorded earlier and not made by an LLM for this call; `cached`
    where it is the answer to an equal question, which cost nothing again.
    """

    labels: Mapping[Span, str]
    model: str
    prompt_version: str
    raw: str
    prompt_tokens: int
    completion_tokens: int
    replayed: bool
    cached: bool = False
    proposals: tuple[LabelledSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer as all questions of one `key` share it: a label for each candidate, in text order.

    Keys are those of `linkner.repeats.question_key`. Proposals count code points of the normalised text.
    """

    key: bytes
    labels: tuple[str, ...]
    model: str
    prompt_version: str
    raw: str
    replayed: bool
    proposals: tuple[LabelledSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer under the claim that it came to.

    `keep` is kept for questions of the same key; those that were put off become due. `call` is the call that
    gave the answer, recorded with it.
    """

    claim: ClaimedQuestion
    answer: Answer
    keep: CachedAnswer | None = None
    call: Call | None = None


Recalled = CachedAnswer | Literal["ask", "put-off", "stale"]
"""What the answer cache says to a claimed question: see `Store.recall`."""


@dataclass(frozen=True, slots=True)
class Joinable:
    """All that linking needs for one document whose questions have all ended.

    `answers` has the label of each answered candidate; `unanswered` the reason of each one without answer;
    `proposals` are what the LLM added, each once and in text order. `fence` must come back with the entities:
    it is another one once the document has been opened again.
    """

    document_id: int
    entities: tuple[ScoredSpan, ...]
    plausible: tuple[ScoredSpan, ...]
    answers: Mapping[Span, str]
    unanswered: Mapping[Span, str]
    fence: int
    proposals: tuple[LabelledSpan, ...] = ()
