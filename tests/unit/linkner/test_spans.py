"""Spans: validation, geometry, and the JSON that crosses processes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.errors import InputError
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.unit.linkner.strategies import recognitions, spans


@pytest.mark.parametrize(("start", "end"), [(0, 0), (3, 2), (-1, 2), (-3, -1)])
def test_an_empty_reversed_or_negative_span_is_refused(start: int, end: int) -> None:
    with pytest.raises(InputError, match=rf"\[{start}, {end}\)"):
        Span(start, end)


@given(spans, spans)
def test_overlap_and_iou_agree_with_sets_of_positions(one: Span, other: Span) -> None:
    mine, theirs = set(range(one.start, one.end)), set(range(other.start, other.end))
    assert one.overlaps(other) == bool(mine & theirs)
    assert one.iou(other) == len(mine & theirs) / (len(mine | theirs) if mine & theirs else 1)
    assert one.iou(other) == other.iou(one)
    assert 0.0 <= one.iou(other) <= 1.0
    assert (one.iou(other) == 1.0) == (one == other)
    assert len(one) == len(mine)


def test_the_surface_of_a_span_counts_code_points() -> None:
    assert Span(2, 6).of("👋 Oslo!") == "Oslo"


@given(recognitions())
def test_a_recognition_survives_json(recognition: Recognition) -> None:
    back = Recognition.from_json(json.loads(json.dumps(recognition.to_json())))
    pairs = zip(
        (*recognition.entities, *recognition.plausible), (*back.entities, *back.plausible), strict=True
    )
    assert len(back.entities) == len(recognition.entities)
    for before, after in pairs:
        assert (after.span, after.label, list(after.scores)) == (
            before.span,
            before.label,
            list(before.scores),
        )
        assert after.scores == pytest.approx(before.scores, abs=1e-6)
        assert after.probability == pytest.approx(before.probability, abs=1e-6)
        assert after.entity_probability == pytest.approx(before.entity_probability, abs=1e-5)
    assert Recognition.from_json(back.to_json()) == back


_GOOD = ScoredSpan(Span(0, 1), "person", 0.75, 0.25, {OUTSIDE: 0.25, "person": 0.75}).to_json()


@pytest.mark.parametrize(
    "broken",
    [
        {key: value for key, value in _GOOD.items() if key != "start"},
        _GOOD | {"end": 0},
        _GOOD | {"start": "first"},
        _GOOD | {"probability": None},
        _GOOD | {"scores": [0.25, 0.75]},
        _GOOD | {"scores": {"person": 1.0}},
        "a string",
        None,
        7,
    ],
)
def test_what_is_no_scored_span_is_refused_with_an_input_error(broken: object) -> None:
    with pytest.raises(InputError):
        Recognition.from_json({"entities": [broken], "plausible": []})


@pytest.mark.parametrize("broken", [{}, {"entities": []}, [], None, {"entities": 1, "plausible": []}])
def test_what_is_no_recognition_is_refused_with_an_input_error(broken: object) -> None:
    with pytest.raises(InputError):
        Recognition.from_json(broken)  # type: ignore[arg-type]


@given(st.text(max_size=500))
def test_a_refused_value_is_shown_in_part_only(text: str) -> None:
    with pytest.raises(InputError) as caught:
        ScoredSpan.from_json({"start": text + "x"})
    assert len(caught.value.got) <= 200
