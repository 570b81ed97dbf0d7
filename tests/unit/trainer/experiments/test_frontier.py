from __future__ import annotations

import pytest

from trainer.experiments.frontier import area


def test_the_area_is_the_mean_height_up_to_sixty_questions() -> None:
    assert area([(0.0, 0.6), (60.0, 0.8), (100.0, 0.1)]) == pytest.approx(0.7)


def test_a_curve_is_level_beyond_its_last_point() -> None:
    assert area([(30.0, 0.8), (0.0, 0.6)]) == pytest.approx(0.75, abs=1e-3)
