from __future__ import annotations

from dataclasses import replace

import pytest

from linkner.calibration import Calibration, Curve
from linkner.detection import EPSILON, THRESHOLD, BudgetDetector, Detector
from linkner.detectors import BUDGET, Detectors
from linkner.errors import ConfigurationError

MINE, ANOTHER = "mine-12345678", "another-9abcdef0"
KNOWN = Calibration(
    wrong={}, missed=Curve(((0.0, 0.0), (1.0, 1.0))), least={10.0: 0.5, BUDGET: 0.3, 60.0: 0.1}, model=MINE
)
UNNAMED = replace(KNOWN, model=None)
BY_DEFAULT = Detector(threshold=THRESHOLD, epsilon=EPSILON)


def within(budget: float, calibration: Calibration = KNOWN) -> BudgetDetector:
    return BudgetDetector(calibration=calibration, least=calibration.worth(budget))


def test_a_calibrated_model_has_a_budget_unless_told_otherwise() -> None:
    assert Detectors(calibration=KNOWN).of(MINE) == within(BUDGET)
    assert Detectors(calibration=KNOWN, max_candidates=2, proposes=True).of(MINE) == replace(
        within(BUDGET), max_candidates=2, proposes=True
    )


@pytest.mark.parametrize("calibration", [None, UNNAMED, replace(KNOWN, model=ANOTHER)])
def test_any_other_model_has_thresholds(calibration: Calibration | None) -> None:
    assert Detectors(calibration=calibration).of(MINE) == BY_DEFAULT


def test_a_threshold_that_is_given_holds() -> None:
    assert Detectors(calibration=KNOWN, threshold=0.4).of(MINE) == replace(BY_DEFAULT, threshold=0.4)
    assert Detectors(calibration=KNOWN, epsilon=0.4).of(MINE) == replace(BY_DEFAULT, epsilon=0.4)


def test_a_budget_that_is_given_holds_before_all_else() -> None:
    asked = Detectors(budget=10.0, threshold=0.4, calibration=KNOWN)

    assert asked.of(MINE) == within(10.0)
    assert replace(asked, calibration=UNNAMED).of(MINE) == within(10.0, UNNAMED)


@pytest.mark.parametrize(("calibration", "got"), [(None, "none"), (KNOWN, f"that of {MINE}")])
def test_a_budget_is_not_kept_by_another_model_s_calibration(
    calibration: Calibration | None, got: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"of the model {ANOTHER}.*got {got}"):
        Detectors(budget=10.0, calibration=calibration).of(ANOTHER)


def test_values_out_of_range_are_refused_before_any_model_is_known() -> None:
    with pytest.raises(ConfigurationError, match="epsilon"):
        Detectors(epsilon=1.5)
