from __future__ import annotations

import pytest

from linkner.recognition.spanner import SpanHead
from linkner.scoring import Score, Scores
from trainer.balancing import SHIFTS, best_shift


@pytest.fixture
def head() -> SpanHead:
    return SpanHead(width=4, hidden=4, classes=3, max_span_length=2, dropout=0.0)


def scores(correct: int) -> Scores:
    return Scores(Score(correct, 10, 10), {}, Score(correct, 10, 10))


def test_the_shift_with_the_best_f1_is_found_and_the_bias_restored(head) -> None:
    before = head.classify.bias.tolist()

    def measure() -> Scores:
        lowered = before[0] - head.classify.bias[0].item()
        return scores(10 - round(2 * abs(lowered - 2.0)))

    assert best_shift(head, measure) == (2.0, scores(10))
    assert head.classify.bias.tolist() == before


def test_of_equally_good_shifts_the_smallest_is_taken(head) -> None:
    assert best_shift(head, lambda: scores(5)) == (SHIFTS[0], scores(5)) == (0.0, scores(5))
