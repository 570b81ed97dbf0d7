from __future__ import annotations

from pathlib import Path

import pytest

from broker.settings import Settings
from linkner.calibration import Calibration, Curve, write
from linkner.detection import BudgetDetector, Detector
from linkner.errors import CheckpointError
from workers.bootstrap import detector

FOUND = Calibration(wrong={}, missed=Curve(((0.0, 0.0), (1.0, 1.0))), least={20.0: 0.5, 40.0: 0.3})


def test_without_a_budget_the_thresholds_detect() -> None:
    assert isinstance(detector(Settings(threshold=0.2)), Detector)


def test_a_budget_detects_by_the_calibration_that_is_named(tmp_path: Path) -> None:
    made = detector(Settings(budget=30.0, calibration=str(write(tmp_path, FOUND)), max_questions=3))

    assert isinstance(made, BudgetDetector)
    assert (made.least, made.max_questions) == (pytest.approx(0.4), 3)


def test_a_budget_without_calibration_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="linkner calibrate"):
        detector(Settings(budget=30.0, calibration=str(tmp_path)))
