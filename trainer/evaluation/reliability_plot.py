"""The reliability plot: how often predicted entities are right, by how probable the model holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from trainer.evaluation.metrics import BINS, Bin, calibration_error


def draw_reliability(bins: Sequence[Bin], *, path: Path, title: str) -> None:
    """Write the plot as a PNG: above, accuracy by confidence; below, how many entities there are.

    Args:
        bins: as `metrics.reliability` gives them.
        path: the file; its folder is made if it is not there.
        title: stands above the plot, before the expected calibration error.
    """
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middles = [(one.low + one.high) / 2 for one in bins]
    above.bar(middles, [one.accuracy for one in bins], width=0.9 / BINS, color="#4c72b0", label="right")
    above.plot([0, 1], [0, 1], "--", color="#8c8c8c", linewidth=1, label="as probable as it is right")
    above.plot(
        [one.confidence for one in bins], [one.accuracy for one in bins], "o", color="#dd8452", label="mean"
    )
    above.set(ylabel="share of entities that are right", xlim=(0, 1), ylim=(0, 1))
    above.legend(loc="upper left", frameon=False)
    below.bar(middles, [one.count for one in bins], width=0.9 / BINS, color="#8c8c8c")
    below.set(xlabel="probability of the predicted label", ylabel="entities")
    error = calibration_error(bins)
    figure.suptitle(
        title if error is None else f"{title}\nexpected calibration error {error:.3f}", fontsize=10
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
