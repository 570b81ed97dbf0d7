"""Tables in whose cells no word is cut, however narrow the window: amounts, days and names stay readable."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement, measure_renderables
from rich.table import Column, Table

_WITHOUT_END = 10_000
_FOLDED = 20


def show(table: Table) -> None:
    """Print the table. Where its words need more than the window has, it is wider than the window.

    (Rich would cut the words of the widest columns.) Words in a column with `overflow="fold"` may be broken.
    """
    console = Console()
    sizes = [_measured(console, column) for column in table.columns]
    least = sum(size.minimum for size in sizes)
    if least + _frame(console, table, sizes) > console.width:
        table.padding, table.show_edge = 0, False
    frame = _frame(console, table, sizes)
    _share(max(console.width - frame - least, 0), table.columns, sizes)
    Console(width=max(console.width, frame + least)).print(table)


def _share(room: int, columns: list[Column], sizes: list[Measurement]) -> None:
    """Give each column its longest word's width, and an equal share of the room if it needs that much."""
    by_need = sorted(zip(columns, sizes, strict=True), key=lambda one: one[1].span)
    for served, (column, size) in enumerate(by_need):
        more = min(size.span, room // (len(columns) - served))
        column.width = size.minimum + more
        room -= more


def _measured(console: Console, column: Column) -> Measurement:
    """The widths of a column's longest word and of its longest line."""
    options = console.options.update(max_width=_WITHOUT_END)
    size = measure_renderables(console, options, [column.header, column.footer, *column.cells])
    return Measurement(min(size.minimum, _FOLDED), size.maximum) if column.overflow == "fold" else size


def _frame(console: Console, table: Table, sizes: list[Measurement]) -> int:
    """What lines and padding take of a table whose columns have no widths yet."""
    whole = Measurement.get(console, console.options.update(max_width=_WITHOUT_END), table)
    return whole.maximum - sum(size.maximum for size in sizes)
