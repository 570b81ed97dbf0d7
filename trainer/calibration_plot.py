"""The picture of what a budget buys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainer.calibration import Bought


def draw_frontier(bought: Sequence[Bought], *, local_f1: float, path: Path, title: str) -> None:
    """Write a PNG: F1 over the posts of 100 that are asked about, from the local model alone on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    axes = figure.subplots()
    asked = [0.0, *(one.posts_asked for one in bought)]
    axes.plot(asked, [100 * local_f1, *(100 * one.f1 for one in bought)], "o-", color="#4c72b0")
    axes.axhline(100 * local_f1, color="grey", linestyle="--", linewidth=1)
    axes.annotate("local model alone", (asked[-1], 100 * local_f1), ha="right", va="bottom", color="grey")
    axes.set(xlabel="posts asked about, of 100", ylabel="F1 (%)", xlim=(0, None))
    figure.suptitle(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
