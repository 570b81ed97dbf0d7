"""The balance between precision and recall, chosen on dev.

Nearly all spans are no entity, so a model says OUTSIDE too often for the best F1. One number mends it: how
much the logit of OUTSIDE is lowered, which is the bias of that class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from linkner.recognition.spanner import SpanHead
from linkner.scoring import Scores

SHIFTS = (0.0, 1.0, 2.0, 3.0)
"""What is tried, in logits."""


@torch.no_grad()
def best_shift(head: SpanHead, measure: Callable[[], Scores]) -> tuple[float, Scores]:
    """By how much to lower the OUTSIDE bias of `head` for the best F1, and the scores then.

    Args:
        head: its bias is changed for each measurement, and then restored.
        measure: scores the model that `head` belongs to.
    """
    bias = head.classify.bias
    before = bias[0].item()
    measured: dict[float, Scores] = {}
    for shift in SHIFTS:
        bias[0] = before - shift
        measured[shift] = measure()
    bias[0] = before
    best = max(measured, key=lambda shift: (measured[shift].micro.f1, -shift))
    return best, measured[best]
