"""Figures as PNG."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.experiments.rendering import FEW, Figure, Panel, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 5.6, 4.2  # of a panel, in inches
_COLUMNS = 3  # of panels, at most
_LETTERS_AN_INCH, _LINE = 17, 0.16  # of the caption, and its height in inches
_COLOURS = ("#2166ac", "#d6604d", "#4d9221", "#762a83", "#e08214", "#01665e")  # told apart in print, too
_BARS, _CAPTION = "#d9d9d9", "#636363"
_MARKERS = "os^Dv<"
_TICKS = [place / 10 for place in range(0, 11, 2)]


def draw(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG. The notes are its caption."""
    from matplotlib.figure import Figure as Canvas

    count = len(figure.panels)
    columns = count if count <= _COLUMNS else min(math.ceil(math.sqrt(count)), _COLUMNS)
    rows = math.ceil(count / columns)
    width = _WIDTH * columns
    caption = [line for note in figure.notes for line in textwrap.wrap(note, int(width * _LETTERS_AN_INCH))]
    canvas = Canvas(figsize=(width, _HEIGHT * rows + _LINE * len(caption)), layout="constrained")
    canvas.suptitle(figure.title, fontsize=11, fontweight="bold")
    every = canvas.subplots(rows, columns, squeeze=False).flatten()
    for axes, panel in zip(every, figure.panels, strict=False):
        _draw_panel(axes, panel)
    for axes in every[count:]:
        axes.set_visible(False)
    canvas.supxlabel("\n".join(caption), fontsize=7.5, color=_CAPTION, x=0.01, ha="left")
    canvas.savefig(path, dpi=160)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set(xlabel=panel.x, ylabel=panel.y, xlim=(0, panel.top), ylim=(0, 1))
    axes.set_title(panel.title, fontsize=9.5)
    axes.set_yticks(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    axes.grid(axis="y", color="#eeeeee")
    axes.spines[["top", "right"]].set_visible(False)
    bars = [series for series in panel.series if series.kind == "bars"]
    if bars:
        _draw_bars(axes, panel, bars)
    colours = iter(_COLOURS * len(panel.series))
    colour = _COLOURS[0]
    for place, series in enumerate(one for one in panel.series if one.kind != "bars"):
        colour = colour if series.kind == "point" else next(colours)
        _draw_series(axes, series, colour=colour, marker=_MARKERS[place % len(_MARKERS)])
    axes.legend(loc="best", fontsize=8, framealpha=0.9, edgecolor="none")


def _draw_bars(axes: Axes, panel: Panel, bars: list[Series]) -> None:
    """Bars on an axis of their own, behind the lines."""
    right = axes.twinx()
    right.set(ylabel=panel.right, ylim=(0, 1))
    right.set_yticks(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    right.spines[["top"]].set_visible(False)
    axes.set_zorder(right.get_zorder() + 1)
    axes.patch.set_visible(False)
    for series in bars:
        step = min((after - at for at, after in zip(series.x, series.x[1:], strict=False)), default=panel.top)
        right.bar(series.x, [value or 0.0 for value in series.y], width=0.9 * step, color=_BARS)
        axes.bar([0.0], [0.0], width=0.0, color=_BARS, label=series.label)  # for the legend alone


def _draw_series(axes: Axes, series: Series, *, colour: str, marker: str) -> None:
    """A marked point has the colour of the series before it, on which it lies. Hollow points stand alone."""
    values = [float("nan") if value is None else value for value in series.y]
    if series.kind == "level":
        axes.axhline(values[0], color=colour, linestyle="--", linewidth=1.2, label=series.label)
        return
    if series.kind == "point":
        star: dict[str, Any] = {"markersize": 14, "markeredgecolor": "black", "zorder": 5, "clip_on": False}
        axes.plot(series.x, values, "*", color=colour, label=series.label, **star)
        return
    style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5, "clip_on": False}
    few = {place for place, count in enumerate(series.counts) if count < FEW}
    enough = [float("nan") if place in few else value for place, value in enumerate(values)]
    axes.plot(series.x, enough, linewidth=1.6, label=series.label, **style)
    hollow = [value if place in few else float("nan") for place, value in enumerate(values)]
    axes.plot(series.x, hollow, linestyle="none", markerfacecolor="white", zorder=4, **style)
