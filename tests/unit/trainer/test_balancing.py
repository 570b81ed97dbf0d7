from __future__ import annotations

import pytest

from linkner.recognition.spanner import SpanHead
from trainer.balancing import SHIFTS, lower_outside


@pytest.fixture
def head() -> SpanHead:
    return SpanHead(width=4, hidden=4, classes=3, max_span_length=2, dropout=0.0)


def test_the_bias_of_outside_is_lowered_to_the_best_f1(head) -> None:
    before = head.classify.bias.detach().clone()

    def f1() -> float:
        return 1 - abs(before[0].item() - head.classify.bias[0].item() - 0.8)

    shift, best = lower_outside(head, f1)
    assert shift == 0.75
    assert best == pytest.approx(0.95)
    assert head.classify.bias[0].item() == pytest.approx(before[0].item() - 0.75)
    assert head.classify.bias[1:].tolist() == before[1:].tolist()


def test_nothing_changes_where_nothing_is_better(head) -> None:
    before = head.classify.bias.tolist()
    assert lower_outside(head, lambda: 0.5) == (0.0, 0.5)
    assert head.classify.bias.tolist() == pytest.approx(before)
    assert SHIFTS[0] == 0.0
