from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.calibration import Calibration, Curve, read, write
from linkner.errors import CheckpointError, ConfigurationError, InputError
from linkner.spans import ScoredSpan, Span

CALIBRATION = Calibration(
    wrong={"person": Curve(((0.0, 0.1), (0.5, 0.6)))},
    missed=Curve(((0.0, 0.0), (1.0, 0.8))),
    least={10.0: 0.6, 30.0: 0.2},
    shared=Curve(((0.0, 0.2), (1.0, 0.8))),
    model="mine-12345678",
)


def person(probability: float) -> ScoredSpan:
    return ScoredSpan(
        Span(0, 1), "person", probability, 0.5, {"O": 1 - probability, "person": probability, "group": 0.0}
    )


def test_a_curve_is_linear_between_its_points_and_flat_beyond_them() -> None:
    curve = Curve(((0.2, 0.1), (0.6, 0.5)))

    assert [curve(score) for score in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.5])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, unique_by=lambda point: point[0]))
def test_a_curve_goes_through_its_points(points) -> None:
    curve = Curve(tuple(sorted(points)))

    assert all(curve(score) == pytest.approx(value) for score, value in points)


@pytest.mark.parametrize("points", [(), ((0.5, 0.1), (0.5, 0.2)), ((0.1, 1.5),)])
def test_what_is_no_curve_is_refused(points) -> None:
    with pytest.raises(ConfigurationError, match="curve"):
        Curve(points)


def test_predicted_and_missed_entities_are_on_one_scale() -> None:
    assert CALIBRATION.error(person(0.75), predicted=True) == pytest.approx(0.35)
    assert CALIBRATION.error(person(0.75), predicted=False) == pytest.approx(0.6)


def group(probability: float) -> ScoredSpan:
    """A span of a label that has no curve of its own."""
    return ScoredSpan(
        Span(0, 1), "group", probability, 0.5, {"O": 1 - probability, "person": 0.0, "group": probability}
    )


def test_a_label_that_was_not_calibrated_has_the_curve_of_all() -> None:
    assert CALIBRATION.error(group(0.5), predicted=True) == pytest.approx(0.5)
    assert CALIBRATION.error(group(0.95), predicted=True) == pytest.approx(0.23)


def test_without_a_curve_of_all_it_is_wrong_as_often_as_the_model_doubts() -> None:
    older = replace(CALIBRATION, shared=None)

    assert older.error(group(0.92), predicted=True) == pytest.approx(0.08)


def test_a_larger_budget_takes_posts_that_are_worth_less() -> None:
    found = [CALIBRATION.worth(budget) for budget in (0.0, 5.0, 10.0, 20.0, 30.0, 31.0)]

    assert found == pytest.approx([math.inf, 0.8, 0.6, 0.4, 0.2, 0.0])


def test_what_is_written_is_read_back_from_folder_or_file(tmp_path: Path) -> None:
    path = write(tmp_path, CALIBRATION)

    assert read(tmp_path) == read(path) == CALIBRATION


def test_a_file_without_a_curve_of_all_or_a_model_is_still_read(tmp_path: Path) -> None:
    path = write(tmp_path, CALIBRATION)
    value = json.loads(path.read_text())
    del value["shared"], value["model"]
    path.write_text(json.dumps(value))

    assert read(tmp_path) == replace(CALIBRATION, shared=None, model=None)


def test_it_is_written_whole_in_place_of_the_one_before(tmp_path: Path) -> None:
    path = write(tmp_path, CALIBRATION)
    text = path.read_text()

    with path.open() as reading:
        write(tmp_path, replace(CALIBRATION, least={}))
        assert reading.read() == text  # who reads it meanwhile has the old one, and not half of either

    assert read(path).least == {}
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_takes_no_file_is_an_error_of_ours() -> None:
    with pytest.raises(InputError, match=r"cannot write .*calibration\.json"):
        write(Path("/proc/self"), CALIBRATION)  # where not even root may


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "wrong": {"a": []}}'])
def test_a_file_that_holds_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text)

    with pytest.raises(CheckpointError, match="linkner calibrate"):
        read(tmp_path)


def test_a_checkpoint_without_calibration_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="linkner calibrate"):
        read(tmp_path)
