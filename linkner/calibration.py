"""Calibration: how often the local model is wrong, given what it says of itself; and what a budget buys.

It is fitted on labelled posts (`linkner calibrate`) and lies beside the checkpoint. Errors of predicted
entities and missed entities are put on one scale, the probability that the local label is wrong, so that a
budget goes to the posts where an answer is most likely to change something.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from linkner.errors import CheckpointError, ConfigurationError
from linkner.spans import ScoredSpan
from linkner.writing import replacing

FILE = "calibration.json"
"""Its name in the folder of a checkpoint."""

DEFAULT_CHECKPOINT = Path(__file__).parent / "recognition" / "checkpoints" / "wnut17"
"""The folder of the checkpoint that comes with LinkNER; its path is here for those that never load torch."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Curve:
    """A map from a score to a probability: linear between its points (by rising score), flat beyond them.

    Raises:
        ConfigurationError: there is no point, scores do not rise, or a probability is not in [0, 1].
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        scores = [score for score, _ in self.points]
        if not scores or any(left >= right for left, right in pairwise(scores)):
            raise ConfigurationError("a curve needs points by rising score", got=str(scores)[:80])
        if not all(0 <= probability <= 1 for _, probability in self.points):
            raise ConfigurationError("a curve's values are probabilities", got=str(self.points)[:80])

    def __call__(self, score: float) -> float:
        """The probability at a score."""
        place = bisect_right(self.points, score, key=lambda point: point[0])
        if place == 0 or place == len(self.points):
            return self.points[min(place, len(self.points) - 1)][1]
        (left, below), (right, above) = self.points[place - 1 : place + 1]
        return below + (above - below) * (score - left) / (right - left)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The probability that the local label of a span is wrong, and the least worth asking about by budget.

    Attributes:
        wrong: of a predicted entity, by its label, from 1 - p(label).
        shared: the same whatever the label, for labels without a curve of their own; None in older files.
        missed: of a span that is labelled O or lost against another, from its entity probability.
        least: by how many posts of 100 are asked about, the error probability from which on a post is one of
            them: posts whose best candidate has less are not asked about.
        model: the name, with the digest, of the model that it was fitted on; None in older files.
    """

    wrong: Mapping[str, Curve]
    missed: Curve
    least: Mapping[float, float]
    shared: Curve | None = None
    model: str | None = None

    def error(self, scored: ScoredSpan, *, predicted: bool) -> float:
        """The probability that the local label of the span is wrong, in [0, 1]."""
        if not predicted:
            return self.missed(scored.entity_probability)
        doubt = 1.0 - scored.probability
        curve = self.wrong.get(scored.label, self.shared)
        return doubt if curve is None else curve(doubt)  # without any curve, the model is taken at its word

    def worth(self, budget: float) -> float:
        """The least error probability that is worth asking about where `budget` posts of 100 may be.

        Between two calibrated budgets it is in proportion; beyond the largest every post is worth it, and
        without a budget none is.
        """
        if budget <= 0:
            return math.inf
        known = sorted(self.least.items())
        if not known or budget > known[-1][0]:
            return 0.0
        return Curve(((0.0, 1.0), *known))(budget)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `read` takes it back."""
        return {
            "format": FORMAT,
            "model": self.model,
            "wrong": {label: curve.points for label, curve in self.wrong.items()},
            "shared": self.shared and self.shared.points,
            "missed": self.missed.points,
            "least": sorted(self.least.items()),
        }


def write(folder: Path, calibration: Calibration) -> Path:
    """Write it into a checkpoint's folder, in place of the one before; the path of the file.

    Raises:
        InputError: it cannot be written.
    """
    path = folder / FILE
    with replacing(path) as file:
        file.write(json.dumps(calibration.to_json(), indent=1) + "\n")
    return path


def read(path: Path) -> Calibration:
    """The calibration of a checkpoint's folder, or of a file.

    Raises:
        CheckpointError: there is none, or it cannot be used.
    """
    path = path / FILE if path.is_dir() else path
    hint = "make one with `linkner calibrate`"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value.get("format") != FORMAT:
            raise CheckpointError(f"{path} is of another format", expected=f'"format": {FORMAT}', hint=hint)
        return Calibration(
            wrong={label: _curve(points) for label, points in value["wrong"].items()},
            shared=_curve(value["shared"]) if value.get("shared") is not None else None,
            missed=_curve(value["missed"]),
            least={float(size): float(least) for size, least in value["least"]},
            model=None if value.get("model") is None else str(value["model"]),
        )
    except OSError as error:
        raise CheckpointError(f"cannot read {path}", got=error.strerror or "", hint=hint) from error
    except (ValueError, TypeError, LookupError, AttributeError, ConfigurationError) as error:
        raise CheckpointError(f"{path} cannot be used", got=str(error)[:200], hint=hint) from error


def _curve(points: Any) -> Curve:
    return Curve(tuple((float(score), float(probability)) for score, probability in points))
