"""The reliability plot: how often predicted entities are right, by how probable the model holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainer.evaluation.metrics import BINS, Bin, calibration_error


def draw_reliability(bins: Sequence[Bin], *, path: Path, title: str) -> None:
    """Write the plot as a PNG: accuracy and count of the predicted entities by probability."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    places = [(one.low + one.high) / 2 for one in bins]
    above.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="perfectly calibrated")
    above.bar(places, [one.accuracy for one in bins], width=0.9 / BINS, color="#4c72b0", label="observed")
    above.plot([one.confidence for one in bins], [one.accuracy for one in bins], "o", color="#dd8452")
    above.set(ylabel="share of entities that are right", xlim=(0, 1), ylim=(0, 1))
    above.legend(loc="upper left", frameon=False)
    below.bar(places, [one.count for one in bins], width=0.9 / BINS, color="#8c8c8c")
    below.set(xlabel="probability of the predicted label", ylabel="entities")
    ece = calibration_error(bins)
    figure.suptitle(title + ("" if ece is None else f"\nexpected calibration error {ece:.3f}"), fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
