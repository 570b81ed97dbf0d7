"""Spans of a text and what the local model says of them: the values that every part exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from linkner.errors import InputError

OUTSIDE = "O"
"""The label of a span that is no entity; always class 0 of a model."""

DecidedBy = Literal["local", "llm", "fallback"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open offsets `[start, end)`: words inside the model, Unicode code points everywhere else.

    Raises:
        InputError: unless 0 <= start < end.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InputError(
                "a span needs 0 <= start < end",
                got=f"[{self.start}, {self.end})",
                hint="offsets are half-open: the end is the first position after the span",
            )

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one position."""
        return self.start < other.end and other.start < self.end

    def iou(self, other: Span) -> float:
        """Intersection over union of the two spans, in [0, 1]."""
        shared = min(self.end, other.end) - max(self.start, other.start)
        return shared / (max(self.end, other.end) - min(self.start, other.start)) if shared > 0 else 0.0

    def of(self, text: str) -> str:
        """The surface string of the span in `text`."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True, order=True)
class LabelledSpan:
    """A span and its entity label; never `OUTSIDE`."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A span of one document with what the local model says of it.

    `label` is the most probable class (`OUTSIDE` for no entity), `probability` its probability,
    `uncertainty` the span's u (equations 1 to 4 of the paper; range depends on the method),
    `scores` the probability of every class by label, `OUTSIDE` included; they sum to 1.
    """

    span: Span
    label: str
    probability: float
    uncertainty: float
    scores: Mapping[str, float]

    @property
    def entity_probability(self) -> float:
        """1 - p(OUTSIDE): how probable it is that the span is an entity of any type."""
        return 1.0 - self.scores[OUTSIDE]

    def to_json(self) -> dict[str, Any]:
        """A JSON object of this span; scores are rounded to six digits."""
        return {
            "start": self.span.start,
            "end": self.span.end,
            "label": self.label,
            "probability": round(self.probability, 6),
            "uncertainty": round(self.uncertainty, 6),
            "scores": {label: round(score, 6) for label, score in self.scores.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ScoredSpan:
        """The span that `to_json` wrote. Raises InputError for anything else."""
        try:
            scores = {str(label): float(score) for label, score in value["scores"].items()}
            return cls(
                span=Span(int(value["start"]), int(value["end"])),
                label=str(value["label"]),
                probability=float(value["probability"]),
                uncertainty=float(value["uncertainty"]),
                scores={OUTSIDE: scores[OUTSIDE]} | scores,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError("not a scored span", got=repr(value)[:200]) from error


@dataclass(frozen=True, slots=True)
class Recognition:
    """The local model's result for one document.

    `entities` are the predicted entities, non-overlapping, in text order. `plausible` are other spans whose
    entity probability is above the recogniser's floor, best first: spans labelled OUTSIDE, and those that
    lost against a more probable entity. They may overlap.
    """

    entities: tuple[ScoredSpan, ...]
    plausible: tuple[ScoredSpan, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON object with both lists."""
        return {
            "entities": [span.to_json() for span in self.entities],
            "plausible": [span.to_json() for span in self.plausible],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recognition:
        """The recognition that `to_json` wrote. Raises InputError for anything else."""
        try:
            return cls(
                entities=tuple(ScoredSpan.from_json(span) for span in value["entities"]),
                plausible=tuple(ScoredSpan.from_json(span) for span in value["plausible"]),
            )
        except (KeyError, TypeError) as error:
            raise InputError("not a recognition", got=repr(value)[:200]) from error


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity of a document's final (or provisional) result.

    `decided_by` says who chose the label: the local model, the LLM, or the local model because the LLM gave
    no answer (`fallback`, with the `reason`). `proposed` is the reason of what the LLM added by itself.
    `probability` and `uncertainty` are the local model's (0 and 1 where it did not score the span).
    """

    span: Span
    label: str
    decided_by: DecidedBy
    probability: float
    uncertainty: float
    reason: str | None = None
