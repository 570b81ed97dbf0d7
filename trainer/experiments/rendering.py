"""What an experiment shows, as values: tables and figures, each with the facts that it rests on.

A table is rendered as text, Markdown or JSON, a figure as PNG (see `drawing`) and JSON. The notes name
model, data, protocol and LLM, and say what was replayed; they go wherever the numbers go.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Group
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

Form = Literal["text", "percent", "points", "number", "count"]
"""How a column's values are written: as they are; a ratio in per cent; a difference of ratios in points, with
its sign; a number with up to three digits after the point; a whole number."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A value of several runs: their mean, and their standard deviation (of a sample; 0 of a single run)."""

    mean: float
    deviation: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """The spread of these values; None where one of them, or all, is missing."""
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return None
        return cls(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else 0.0, len(known))

    def to_json(self) -> dict[str, float | int]:
        """Mean and deviation, rounded to six digits, and the number of runs."""
        return {"mean": round(self.mean, 6), "deviation": round(self.deviation, 6), "runs": self.runs}


Cell = str | float | int | Spread | None
"""A value of a table; None where there is none."""

NOTHING = "–"

FEW = 10
"""Entities below which a ratio says little."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its `key` in JSON, its heading and the form of its values (in JSON ratios stay in [0, 1]).

    A column without a heading is in JSON alone. One that is `noted` is left out for people where all rows
    have the same value: the notes name it.
    """

    key: str
    heading: str = ""
    form: Form = "text"
    noted: bool = False

    def write(self, cell: Cell) -> str:
        """The cell for people."""
        if cell is None:
            return NOTHING
        if isinstance(cell, str):
            return cell
        if isinstance(cell, Spread):
            mean = self.write(cell.mean)
            return f"{mean} ± {self.write(cell.deviation)}" if cell.runs > 1 else mean
        written = {"percent": f"{100 * cell:.2f}", "points": f"{100 * cell:+.2f}", "number": f"{cell:.3g}"}
        return written.get(self.form, f"{cell:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the paper: `name` as in `table3`, the facts of the run, and notes for the reader."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    facts: Mapping[str, Any]
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON object; `rows` has an object for each row, ratios in [0, 1]."""
        keys = [column.key for column in self.columns]
        rows = [dict(zip(keys, map(_plain, row), strict=True)) for row in self.rows]
        return {
            "experiment": self.name,
            "title": self.title,
            **self.facts,
            "rows": rows,
            "notes": [*self.notes],
        }

    def to_markdown(self) -> str:
        """A heading, the table, and the notes as a list."""
        lines = [
            f"## {self.title}",
            "",
            _bar(column.heading for column in self._shown()),
            _bar("---" if column.form == "text" else "---:" for column in self._shown()),
            *map(_bar, self._written()),
            "",
            *(f"- {note}" for note in self.notes),
        ]
        return "\n".join(lines) + "\n"

    def to_text(self) -> Group:
        """The table for a terminal, with the notes below it."""
        table = RichTable(title=escape(self.title))
        for column in self._shown():
            table.add_column(column.heading, justify="left" if column.form == "text" else "right")
        for cells in self._written():
            table.add_row(*map(escape, cells))
        return Group(table, *(Text(note, style="dim") for note in self.notes))

    def _shown(self) -> list[Column]:
        return [
            column
            for place, column in enumerate(self.columns)
            if column.heading and not (column.noted and len({row[place] for row in self.rows}) == 1)
        ]

    def _written(self) -> Iterable[list[str]]:
        shown = self._shown()
        for row in self.rows:
            cells = zip(self.columns, row, strict=True)
            yield [column.write(cell) for column, cell in cells if column in shown]


Kind = Literal["line", "bars", "level", "point"]
"""A polyline; bars on the right axis; a dashed horizontal line at one y; a marked point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of a panel. A y of None is a gap: there was nothing to measure.

    `counts` says on how many entities each point rests, where that is known; those on fewer than FEW are
    drawn hollow.
    """

    label: str
    kind: Kind
    x: Sequence[float]
    y: Sequence[float | None]
    counts: Sequence[int] = ()

    def to_json(self) -> dict[str, Any]:
        """Label, kind, x, y and counts; values are rounded to six digits."""
        return {
            "label": self.label,
            "kind": self.kind,
            "x": [_plain(value) for value in self.x],
            "y": [_plain(value) for value in self.y],
            **({"counts": [*self.counts]} if self.counts else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One pair of axes; `right` names the axis that bars are measured on. y values are ratios in [0, 1]."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    right: str = ""
    top: float = field(default=1.0)
    """Where the x axis ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of the paper and its panels, one or more."""

    name: str
    title: str
    panels: Sequence[Panel]
    facts: Mapping[str, Any]
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The numbers of the figure."""
        panels = [
            {
                "title": panel.title,
                "x": panel.x,
                "y": panel.y,
                **({"right": panel.right} if panel.right else {}),
                "series": [series.to_json() for series in panel.series],
            }
            for panel in self.panels
        ]
        return {
            "experiment": self.name,
            "title": self.title,
            **self.facts,
            "panels": panels,
            "notes": [*self.notes],
        }


def _bar(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _plain(value: Cell) -> Any:
    if isinstance(value, Spread):
        return value.to_json()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
