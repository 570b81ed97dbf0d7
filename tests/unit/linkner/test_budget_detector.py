from __future__ import annotations

import pytest

from linkner.calibration import Calibration, Curve
from linkner.detection import BudgetDetector
from linkner.errors import ConfigurationError
from linkner.spans import Recognition, ScoredSpan, Span

AS_IT_SAYS = Calibration(
    wrong={"person": Curve(((0.0, 0.0), (1.0, 1.0)))}, missed=Curve(((0.0, 0.0), (1.0, 1.0))), least={}
)


def span(start: int, end: int, probability: float, *, label: str = "person") -> ScoredSpan:
    """A span that is a person with this probability."""
    scores = {"O": 1 - probability, "person": probability}
    return ScoredSpan(Span(start, end), label, scores[label], 0.5, scores)


POST = Recognition(
    entities=(span(0, 2, 0.98), span(4, 5, 0.7)),
    plausible=(span(8, 9, 0.4, label="O"), span(1, 2, 0.3, label="O"), span(6, 7, 0.04, label="O")),
)


def detector(**changes: float) -> BudgetDetector:
    return BudgetDetector(calibration=AS_IT_SAYS, **{"least": 0.2, **changes})  # type: ignore[arg-type]


def test_the_most_doubtful_spans_come_first_and_those_on_a_certain_entity_never() -> None:
    found = detector().candidates(POST)

    assert [one.span for one in found] == [Span(8, 9), Span(4, 5)]


def test_a_post_whose_best_candidate_is_worth_too_little_is_not_asked_about() -> None:
    assert detector(least=0.41).candidates(POST) == ()
    assert len(detector(least=0.4).candidates(POST)) == 2


def test_without_a_budget_not_even_a_sure_error_is_asked_about() -> None:
    sure = Recognition(entities=(span(0, 1, 0.5),), plausible=(span(2, 3, 1.0, label="O"),))

    assert len(detector(least=1.0).candidates(sure)) == 2
    assert detector(least=AS_IT_SAYS.worth(0.0)).candidates(sure) == ()


def test_floor_and_number_of_candidates_are_bounds() -> None:
    assert [one.span for one in detector(floor=0.03).candidates(POST)][-1] == Span(6, 7)
    assert [one.span for one in detector(max_candidates=1).candidates(POST)] == [Span(8, 9)]
    assert detector(max_candidates=0).candidates(POST) == ()


def test_an_llm_that_adds_names_is_asked_about_fewer_spans_that_were_not_predicted() -> None:
    post = Recognition(
        entities=(span(4, 5, 0.9),),
        plausible=tuple(span(at, at + 1, p, label="O") for at, p in ((8, 0.3), (6, 0.2), (10, 0.36))),
    )
    everything = [Span(10, 11), Span(8, 9), Span(6, 7), Span(4, 5)]
    assert [one.span for one in detector().candidates(post)] == everything
    assert [one.span for one in detector(proposes=True).candidates(post)] == [Span(10, 11), Span(4, 5)]


def test_the_span_that_brought_the_question_is_always_asked_about() -> None:
    post = Recognition(entities=(), plausible=(span(0, 1, 0.25, label="O"), span(2, 3, 0.24, label="O")))
    assert [one.span for one in detector(proposes=True).candidates(post)] == [Span(0, 1)]


def test_a_doubtful_entity_does_not_hide_other_boundaries() -> None:
    post = Recognition(entities=(span(0, 2, 0.6),), plausible=(span(0, 1, 0.5, label="O"),))

    assert {one.span for one in detector().candidates(post)} == {Span(0, 1), Span(0, 2)}


@pytest.mark.parametrize("changes", [{"least": -0.1}, {"floor": 1.1}, {"max_candidates": -1}])
def test_limits_out_of_range_are_refused(changes) -> None:
    with pytest.raises(ConfigurationError, match="out of range"):
        detector(**changes)
