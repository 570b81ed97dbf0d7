"""Detection: which spans of a document are worth a question to the LLM.

This is the `deployed` protocol: it sees only what the local model says, never gold entities.
"""

from __future__ import annotations

from dataclasses import dataclass

from linkner.errors import ConfigurationError
from linkner.spans import Recognition, ScoredSpan, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Chooses candidates: uncertain entities (u > `threshold`) and plausible O spans (p > `epsilon`).

    `threshold` is τ on the scale of the model's uncertainty (section 4.1 of the paper), `epsilon` a
    probability, `max_questions` the most candidates of one document.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    threshold: float
    epsilon: float
    max_questions: int

    def __post_init__(self) -> None:
        checks = {
            "threshold": (self.threshold >= 0, "0 or more", self.threshold),
            "epsilon": (0 <= self.epsilon <= 1, "a probability, from 0 to 1", self.epsilon),
            "max_questions": (self.max_questions >= 0, "0 or more", self.max_questions),
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
        return tuple(ranked[: self.max_questions])


def _by_expected_gain(scored: ScoredSpan) -> tuple[float, Span]:
    return (scored.probability, scored.span)
