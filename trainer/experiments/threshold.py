"""The paper's rule for the threshold τ (section 5.3, figure 5): from where the LLM decides."""

from __future__ import annotations

from collections.abc import Sequence

from linkner.scoring import Score


def intersection(local: Sequence[tuple[float, Score]], *, linked_f1: float, top: float) -> float:
    """τ: where the local model's F1 falls below that of the fully linked system (τ = 0), on the dev set.

    Both are read off as in figure 5: the local model's F1 by intervals of its uncertainty, and one level, the
    F1 of the system that asks the LLM about every span. Intervals without any entity say nothing and are
    passed over.

    Args:
        local: (lower end, scores) of each interval of u, lowest first.
        linked_f1: in [0, 1].
        top: the largest u there is.

    Returns:
        The lower end of the first interval whose F1 is below the level: every u in it and above is asked
        about. `top` where there is none, so that nothing is asked.
    """
    for low, score in local:
        if (score.gold or score.predicted) and score.f1 < linked_f1:
            return low
    return top
