"""Which detector a model gets: a budget where its calibration is known, else τ and ε."""

from __future__ import annotations

from dataclasses import dataclass

from linkner.calibration import Calibration
from linkner.detection import EPSILON, MAX_CANDIDATES, THRESHOLD, BudgetDetector, Detector
from linkner.errors import ConfigurationError

BUDGET = 30.0
"""Posts of 100 that may be asked about by default, where the model is calibrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """What was asked for, None for what was not, and the detector that a model gets by it.

    A `budget` (posts of 100) replaces `threshold` (τ) and `epsilon` (ε). Where nothing was asked for, a model
    that `calibration` was fitted on gets BUDGET, any other THRESHOLD and EPSILON. `proposes`: the LLM may add
    names to the candidates.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    threshold: float | None = None
    epsilon: float | None = None
    budget: float | None = None
    calibration: Calibration | None = None
    max_candidates: int = MAX_CANDIDATES
    proposes: bool = False

    def __post_init__(self) -> None:
        self._by_thresholds()

    def of(self, model: str) -> Detector | BudgetDetector:
        """The detector for the recognitions of a model, which is given by its name with the digest.

        Raises:
            ConfigurationError: there is a budget, and no calibration of that model.
        """
        known = self.calibration
        if self.budget is not None:
            if known is None or known.model not in (None, model):  # files from before models were named
                raise ConfigurationError(
                    f"a budget needs the calibration of the model {model}",
                    expected="its calibration.json, as `linkner calibrate` writes it",
                    got="none" if known is None else f"that of {known.model}",
                )
            return self._by_budget(known, self.budget)
        if known is not None and known.model == model and self.threshold is None and self.epsilon is None:
            return self._by_budget(known, BUDGET)
        return self._by_thresholds()

    def _by_budget(self, known: Calibration, budget: float) -> BudgetDetector:
        return BudgetDetector(
            calibration=known,
            least=known.worth(budget),
            max_candidates=self.max_candidates,
            proposes=self.proposes,
        )

    def _by_thresholds(self) -> Detector:
        return Detector(
            threshold=THRESHOLD if self.threshold is None else self.threshold,
            epsilon=EPSILON if self.epsilon is None else self.epsilon,
            max_candidates=self.max_candidates,
        )
