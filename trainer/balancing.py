"""The balance between precision and recall, chosen after training.

Nearly all spans are no entity, so a trained model says OUTSIDE too often for the best F1. One number mends
it: how much the logit of OUTSIDE is lowered, which is the bias of that class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from linkner.recognition.spanner import SpanHead

SHIFTS = tuple(step / 4 for step in range(9))
"""What is tried: 0, 0.25, … 2."""


@torch.no_grad()
def lower_outside(head: SpanHead, f1: Callable[[], float]) -> tuple[float, float]:
    """Lower the OUTSIDE bias of `head` by the shift with the best F1; of equal ones, the smallest.

    Args:
        head: changed in place.
        f1: measures the model that `head` belongs to, on dev.

    Returns:
        The shift and its F1.
    """
    bias = head.classify.bias
    begin = bias[0].item()
    measured = {}
    for shift in SHIFTS:
        bias[0] = begin - shift
        measured[shift] = f1()
    best = max(measured, key=lambda shift: (measured[shift], -shift))
    bias[0] = begin - best
    return best, measured[best]
