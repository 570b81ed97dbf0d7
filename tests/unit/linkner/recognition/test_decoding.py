from __future__ import annotations

import pytest
import torch

from linkner.recognition.decoding import Limits, assemble, owned_spans, select
from linkner.recognition.features import Window
from linkner.spans import Recognition, ScoredSpan, Span

LABELS = ("person", "location")


def window(*, words: int, sentence: int = 0, first: int = 0, owned: tuple[int, int] | None = None) -> Window:
    return Window(sentence, first, ((5,),) * words, (0,) * words, owned or (0, words))


def chosen(
    probabilities: torch.Tensor, windows: list[Window], *, floor: float = 0.1, most: int = 9
) -> list[tuple[int, ScoredSpan]]:
    """What `select` finds where every span of every window may be looked at."""
    mask = owned_spans(torch.ones(probabilities.shape[:3], dtype=torch.bool), windows)
    return select(
        probabilities,
        probabilities[..., 0] / 2,
        mask=mask,
        windows=windows,
        labels=LABELS,
        limits=Limits(floor=floor, most=most),
    )


def outside(*shape: int) -> torch.Tensor:
    """Probabilities that say OUTSIDE of every span."""
    return torch.tensor([1.0, 0.0, 0.0]).expand(*shape, 3).clone()


def test_entities_and_plausible_spans_are_taken_and_nothing_else() -> None:
    probabilities = outside(1, 3, 2)
    probabilities[0, 0, 1] = torch.tensor([0.25, 0.5, 0.25])
    probabilities[0, 2, 0] = torch.tensor([0.75, 0.125, 0.125])
    probabilities[0, 1, 0] = torch.tensor([0.95, 0.05, 0.0])  # under the floor
    found = chosen(probabilities, [window(words=3, sentence=7, first=10)])
    assert found == [
        (7, ScoredSpan(Span(10, 12), "person", 0.5, 0.125, {"O": 0.25, "person": 0.5, "location": 0.25})),
        (7, ScoredSpan(Span(12, 13), "O", 0.75, 0.375, {"O": 0.75, "person": 0.125, "location": 0.125})),
    ]


def test_spans_that_the_window_does_not_own_are_left_to_the_other_window() -> None:
    probabilities = torch.tensor([0.0, 1.0, 0.0]).expand(1, 4, 1, 3)
    found = chosen(probabilities, [window(words=4, owned=(1, 3))])
    assert [scored.span for _, scored in found] == [Span(1, 2), Span(2, 3)]


def test_the_best_plausible_spans_are_kept_best_first() -> None:
    probabilities = outside(1, 4, 1)
    for start, entity in enumerate((0.2, 0.4, 0.3, 0.4)):
        probabilities[0, start, 0] = torch.tensor([1 - entity, entity, 0.0])
    found = chosen(probabilities, [window(words=4)], most=3)
    (recognition,) = assemble(found, count=1, limits=Limits(floor=0.1, most=3))
    assert [scored.span.start for scored in recognition.plausible] == [1, 3, 2]


@pytest.mark.parametrize("most", [0, 1, 100])
def test_a_span_without_any_entity_probability_is_never_plausible(most) -> None:
    assert chosen(outside(2, 3, 2), [window(words=3), window(words=1)], floor=0.0, most=most) == []


def test_limits_hold_for_the_sentence_over_all_of_its_windows() -> None:
    probabilities = torch.tensor([0.5, 0.4, 0.1]).expand(2, 2, 1, 3)
    found = chosen(probabilities, [window(words=2), window(words=2, first=2)])
    (recognition,) = assemble(found, count=1, limits=Limits(floor=0.1, most=3))
    assert [scored.span for scored in recognition.plausible] == [Span(0, 1), Span(1, 2), Span(2, 3)]


def test_overlapping_entities_are_decoded_and_sentences_without_spans_are_empty() -> None:
    def entity(start: int, end: int, probability: float) -> ScoredSpan:
        return ScoredSpan(Span(start, end), "person", probability, 0.1, {"O": 0.1})

    found = [(2, entity(0, 2, 0.6)), (0, entity(4, 5, 0.5)), (2, entity(1, 3, 0.7))]
    recognitions = assemble(found, count=3, limits=Limits(floor=0.1, most=3))
    assert [[scored.span for scored in one.entities] for one in recognitions] == [
        [Span(4, 5)],
        [],
        [Span(1, 3)],
    ]
    assert recognitions[1] == Recognition((), ())


def test_an_entity_that_loses_against_one_it_overlaps_is_plausible_from_the_floor_on() -> None:
    def entity(start: int, end: int, probability: float) -> ScoredSpan:
        scores = {"O": 1 - probability, "person": probability}
        return ScoredSpan(Span(start, end), "person", probability, 0.1, scores)

    found = [(0, entity(0, 2, 0.9)), (0, entity(1, 3, 0.7)), (0, entity(1, 2, 0.6))]
    (recognition,) = assemble(found, count=1, limits=Limits(floor=0.65, most=3))
    assert [scored.span for scored in recognition.entities] == [Span(0, 2)]
    assert [scored.span for scored in recognition.plausible] == [Span(1, 3)]
