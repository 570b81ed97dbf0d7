"""Figures as PNG."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.experiments.rendering import Figure, Panel, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 5.6, 4.2  # of a panel, in inches
_LETTERS_AN_INCH = 15  # of the caption
_COLOURS = ("#2166ac", "#d6604d", "#4d9221", "#762a83", "#e08214", "#01665e")  # told apart in print, too
_BARS, _LEVELS = "#d9d9d9", "#636363"
_MARKERS = "os^Dv<"
_TICKS = [place / 10 for place in range(0, 11, 2)]


def draw(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG; the folder is made. The notes are its caption."""
    from matplotlib.figure import Figure as Canvas

    width = _WIDTH * len(figure.panels)
    caption = "\n".join(
        line for note in figure.notes for line in textwrap.wrap(note, int(width * _LETTERS_AN_INCH))
    )
    lines = caption.count("\n") + 1
    canvas = Canvas(figsize=(width, _HEIGHT + 0.16 * lines), layout="constrained")
    canvas.suptitle(figure.title, fontsize=11, fontweight="bold")
    for axes, panel in zip(
        canvas.subplots(1, len(figure.panels), squeeze=False)[0], figure.panels, strict=True
    ):
        _draw_panel(axes, panel)
    canvas.supxlabel(caption, fontsize=7.5, color=_LEVELS, x=0.01, ha="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, dpi=160)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y, xlim=(0, panel.top), ylim=(0, 1))
    axes.title.set_fontsize(10)
    axes.set_yticks(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    axes.grid(axis="y", color="#eeeeee")
    axes.spines[["top", "right"]].set_visible(False)
    bars = [series for series in panel.series if series.kind == "bars"]
    if bars:
        _draw_bars(axes, panel, bars)
    others = [series for series in panel.series if series.kind != "bars"]
    for place, series in enumerate(others):
        _draw_series(axes, series, place)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles, labels, loc="best", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none")


def _draw_bars(axes: Axes, panel: Panel, bars: list[Series]) -> None:
    """Bars on an axis of their own, behind the lines."""
    right = axes.twinx()
    right.set(ylabel=panel.right, ylim=(0, 1))
    right.set_yticks(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    right.spines[["top"]].set_visible(False)
    axes.set_zorder(right.get_zorder() + 1)
    axes.patch.set_visible(False)
    for series in bars:
        step = min((b - a for a, b in zip(series.x, series.x[1:], strict=False)), default=panel.top)
        heights = [value or 0.0 for value in series.y]
        right.bar(series.x, heights, width=0.9 * step, color=_BARS, label=series.label)
        axes.bar([0.0], [0.0], width=0.0, color=_BARS, label=series.label)  # for the legend alone


def _draw_series(axes: Axes, series: Series, place: int) -> None:
    colour = _COLOURS[place % len(_COLOURS)]
    if series.kind == "level":
        axes.axhline(series.y[0] or 0.0, color=colour, linestyle="--", linewidth=1.2, label=series.label)
        return
    values = [float("nan") if value is None else value for value in series.y]
    if series.kind == "point":
        axes.plot(series.x, values, "*", color="#b2182b", markersize=15, zorder=5, label=series.label)
        return
    marker = _MARKERS[place % len(_MARKERS)]
    axes.plot(series.x, values, marker=marker, markersize=5, color=colour, linewidth=1.6, label=series.label)
