from __future__ import annotations

import pytest
import torch

from trainer.moving_average import MovingAverage


def test_the_average_stands_in_for_a_block_and_then_the_weights_are_back() -> None:
    weight = torch.tensor([0.0])
    averages = MovingAverage([weight], decay=0.5)
    weight.fill_(1.0)
    averages.update()  # the first step's decay is 1/11: 10/11 of the new weight
    weight.fill_(2.0)
    averages.update()  # 2/12 of what was, 10/12 of the new
    with averages.in_place():
        assert weight.item() == pytest.approx(10 / 11 / 6 + 2 * 10 / 12)
    assert weight.item() == 2.0


def test_after_many_steps_the_decay_is_the_given_one() -> None:
    weight = torch.tensor([1.0])
    averages = MovingAverage([weight], decay=0.5)
    for _ in range(30):
        averages.update()
    weight.fill_(3.0)
    averages.update()
    with averages.in_place():
        assert weight.item() == pytest.approx(2.0)


def test_without_decay_the_average_is_the_last_step_s_weight() -> None:
    weight = torch.tensor([1.0])
    averages = MovingAverage([weight], decay=0.0)
    weight.fill_(5.0)
    averages.update()
    with averages.in_place():
        assert weight.item() == 5.0


def test_the_weights_are_back_after_an_error() -> None:
    weight = torch.tensor([1.0])
    averages = MovingAverage([weight], decay=0.9)
    weight.fill_(4.0)
    with pytest.raises(ZeroDivisionError), averages.in_place():
        raise ZeroDivisionError
    assert weight.item() == 4.0
