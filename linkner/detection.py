"""Detection: which spans of a document are worth a question to the LLM.

This is the `deployed` protocol: it sees only what the local model says, never gold entities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from linkner.calibration import Calibration
from linkner.errors import ConfigurationError
from linkner.spans import Recognition, ScoredSpan, Span

THRESHOLD = 0.15
"""τ by default, for evidential uncertainty (see `docs/decisions.md`)."""

EPSILON = 0.3
"""ε by default."""

MAX_CANDIDATES = 8
"""Most candidates of one document by default."""

CANDIDATE_FLOOR = 0.05
"""From which error probability on a span is a candidate, where its post is asked about under a budget."""

PROPOSING_FLOOR = 0.35
"""From which error probability on an LLM that may propose names is asked about a span not predicted."""


class Detects(Protocol):
    """Chooses the candidates of a document."""

    def candidates(self, recognition: Recognition) -> tuple[ScoredSpan, ...]:
        """The spans to ask about, the one with the largest expected gain first; they may overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Chooses candidates: uncertain entities (u > `threshold`) and plausible O spans (p > `epsilon`).

    `threshold` is τ on the scale of the model's uncertainty (section 4.1 of the paper), `epsilon` a
    probability, `max_candidates` the most candidates of one document.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    threshold: float = THRESHOLD
    epsilon: float = EPSILON
    max_candidates: int = MAX_CANDIDATES

    def __post_init__(self) -> None:
        checks = {
            "threshold": (self.threshold >= 0, "0 or more", self.threshold),
            "epsilon": (0 <= self.epsilon <= 1, "a probability, from 0 to 1", self.epsilon),
            "max_candidates": (self.max_candidates >= 0, "0 or more", self.max_candidates),
        }
        for name, (good, expected, got) in checks.items():
            if not good:
                raise ConfigurationError(
                    f"the detector's {name} is out of range", expected=expected, got=str(got)
                )

    def candidates(self, recognition: Recognition) -> tuple[ScoredSpan, ...]:
        """The spans to ask about, the one with the largest expected gain first; they may overlap.

        An answer helps where the local label is wrong, so the expected gain of a question is the probability
        of that by the local model's own account: 1 - p(label). For an O span this is its entity probability,
        which puts missed entities and doubtful ones on one scale. Ties go to the earlier span, then the
        shorter.

        A plausible span that overlaps a certain entity is left out: the LLM tends to confirm it, with the
        wrong boundaries, and would so replace an entity that nobody doubted.
        """
        doubtful = [scored for scored in recognition.entities if scored.uncertainty > self.threshold]
        certain = [scored.span for scored in recognition.entities if scored.uncertainty <= self.threshold]
        missed = [
            scored
            for scored in recognition.plausible
            if scored.entity_probability > self.epsilon and not any(map(scored.span.overlaps, certain))
        ]
        ranked = sorted((*doubtful, *missed), key=_by_expected_gain)
        return tuple(ranked[: self.max_candidates])


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDetector:
    """Chooses candidates by their calibrated error probability: the posts where an answer helps most.

    A document is asked about where the error probability of one of its spans is at least `least` (see
    `Calibration.worth`, which knows it for a budget: how many posts of 100 are asked about). Then all of its
    spans from `floor` on are candidates, `max_candidates` at the most: in one question, further ones cost
    little.

    With `proposes` (the form `propose`) the LLM may add names itself. Of the spans that were not predicted it
    is then asked about those from PROPOSING_FLOOR on, and about the one that brought the question: it tends
    to confirm what it is shown, and chooses better boundaries where it is not.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    calibration: Calibration
    least: float
    floor: float = CANDIDATE_FLOOR
    max_candidates: int = MAX_CANDIDATES
    proposes: bool = False

    def __post_init__(self) -> None:
        if not (self.least >= 0 and 0 <= self.floor <= 1 and self.max_candidates >= 0):
            raise ConfigurationError(
                "the detector's limits are out of range",
                expected="least at least 0, floor from 0 to 1, max_candidates at least 0",
                got=f"{self.least}, {self.floor}, {self.max_candidates}",
            )

    def candidates(self, recognition: Recognition) -> tuple[ScoredSpan, ...]:
        """See `Detects`. A certain entity is one below the floor; spans that overlap one are left out."""
        ranked = self.ranked(recognition)
        if not ranked or ranked[0][0] < self.least:
            return ()
        if self.proposes:
            predicted = {scored.span for scored in recognition.entities}
            others = (pair for pair in ranked[1:] if pair[0] >= PROPOSING_FLOOR or pair[1].span in predicted)
            ranked = [ranked[0], *others]
        return tuple(scored for _, scored in ranked[: self.max_candidates])

    def ranked(self, recognition: Recognition) -> list[tuple[float, ScoredSpan]]:
        """(error probability, span) of the spans from the floor on, the largest first."""
        error = self.calibration.error
        predicted = [(error(one, predicted=True), one) for one in recognition.entities]
        certain = [one.span for probability, one in predicted if probability < self.floor]
        others = [
            (error(one, predicted=False), one)
            for one in recognition.plausible
            if not any(map(one.span.overlaps, certain))
        ]
        found = (pair for pair in (*predicted, *others) if pair[0] >= self.floor)
        return sorted(found, key=lambda pair: (-pair[0], pair[1].span))


def _by_expected_gain(scored: ScoredSpan) -> tuple[float, Span]:
    return (scored.probability, scored.span)
