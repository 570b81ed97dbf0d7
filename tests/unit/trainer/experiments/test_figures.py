"""Figures 4 to 7 on posts that are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkner.classification import Form
from tests.unit.trainer.experiments.examples import OneLabelJudge, replay, study
from trainer.evaluation.remembering import RememberingJudge, in_form
from trainer.experiments.figures import figure4, figure5, figure6, figure7
from trainer.experiments.rendering import FEW
from trainer.experiments.threshold import read_thresholds


def series(figure, panel: int = 0) -> dict[str, dict]:
    return {one["label"]: one for one in figure.to_json()["panels"][panel]["series"]}


def points(one: dict) -> dict[float, float]:
    """y by x, without the gaps."""
    return {x: y for x, y in zip(one["x"], one["y"], strict=True) if y is not None}


def test_figure4_has_f1_and_density_by_interval() -> None:
    figure = figure4(study(None))

    # right at u = 0.1; wrong at 0.4 and 0.5; missed at 0.8
    assert points(series(figure)["local F1"]) == {0.15: 1.0, 0.45: 0.0, 0.55: 0.0, 0.85: 0.0}
    density = series(figure)["entity density"]
    assert sum(density["y"]) == pytest.approx(1.0, abs=1e-5)
    assert (density["kind"], figure.to_json()["llm"]) == ("bars", None)
    assert "No LLM takes part." in figure.notes[-1]


def test_figure5_marks_the_intersection_in_a_panel_for_each_protocol() -> None:
    figure = figure5(study(replay(), "paper", "deployed"))

    assert len(figure.panels) == 2
    for panel, protocol in enumerate(("paper", "deployed")):
        level = series(figure, panel)[f"fully linked F1 (τ = 0), {protocol}"]
        star = series(figure, panel)["τ = 0.2"]
        assert set(level["y"]) == {1.0}
        assert (star["kind"], star["x"], star["y"]) == ("point", [0.2], [1.0])


def test_figure6_goes_over_the_thresholds_and_marks_the_chosen_one() -> None:
    figure = figure6(study(replay(), "paper"), read_thresholds("0.45"))

    assert points(series(figure)["linked, paper"]) == pytest.approx(
        {
            **dict.fromkeys((0.0, 0.1, 0.2, 0.3), 1.0),
            0.4: 0.857143,  # the wrong entity with u = 0.4 is not asked about
            **dict.fromkeys((0.5, 0.6, 0.7), 0.571429),  # nor the one with u = 0.5
            **dict.fromkeys((0.8, 0.9), 0.333333),  # nor the gold one with u = 0.8
        }
    )
    assert series(figure)["chosen τ = 0.45, paper"]["y"] == [pytest.approx(0.857143)]
    assert series(figure)["local model alone"]["y"] == pytest.approx([0.333333] * 2)


def test_figure7_shows_where_linking_helps() -> None:
    figure = figure7(study(replay(), "paper"), read_thresholds("0.45"))

    assert points(series(figure)["linked, paper, τ = 0.45"]) == {0.15: 1.0, 0.45: 0.0, 0.55: 1.0, 0.85: 1.0}
    assert points(series(figure)["local model alone"])[0.55] == 0.0


def test_an_llm_is_asked_about_each_span_once_over_all_thresholds() -> None:
    llm = OneLabelJudge()
    judge = RememberingJudge(llm)

    figure6(study(judge, "paper", "deployed"), read_thresholds("0"))

    spans = [(asked.index, span) for asked in llm.asked for span in asked.candidates]
    assert len(spans) == len(set(spans)) == 4 * FEW
    assert (judge.name, judge.token_count) == ("one-label", "not at all")


def test_what_is_remembered_is_answered_and_counted_as_before() -> None:
    direct, judge = study(OneLabelJudge(), "paper"), RememberingJudge(OneLabelJudge(replayed=True))
    (run,) = direct.runs

    first, again = (direct.link(run, protocol="paper", threshold=0.0, judge=judge) for _ in range(2))
    narrower = direct.link(run, protocol="paper", threshold=0.45, judge=judge)

    assert first.entities == again.entities == direct.link(run, protocol="paper", threshold=0.0).entities
    assert narrower.entities == direct.link(run, protocol="paper", threshold=0.45).entities
    assert [one.spent.questions for one in (first, again, narrower)] == [4 * FEW, 4 * FEW, 2 * FEW]
    assert [one.candidates for one in (first, again, narrower)] == [4 * FEW, 4 * FEW, 2 * FEW]


def test_another_form_of_question_is_asked_afresh() -> None:
    packed = Form(name="packed")
    judge = RememberingJudge(replay())

    assert in_form(judge, packed) == RememberingJudge(replace(replay(), form=packed), packed)
    assert in_form(judge, Form()) is judge
    assert in_form(replay(), packed) == replace(replay(), form=packed)
