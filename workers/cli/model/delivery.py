"""The result of an experiment: to files and to the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from linkner.writing import writing_to

if TYPE_CHECKING:
    from trainer.experiments.rendering import Figure, Table

_WIDTH = 120  # of tables that are no terminal's


def deliver(result: Table | Figure, *, output: Path | None, as_json: bool) -> None:
    """Write the result's files and print it.

    A table's files, Markdown and JSON, are written where a folder is named; a figure's, PNG and JSON, always:
    by default into the current folder.

    Raises:
        InputError: the folder cannot be written to.
    """
    from trainer.experiments.rendering import Figure

    folder = output or (Path() if isinstance(result, Figure) else None)
    written = _write(result, folder) if folder is not None else []
    if as_json:
        value = {**result.to_json(), "files": [str(path) for path in written]}
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    if not isinstance(result, Figure):
        console = Console()
        console.width = max(console.width, _WIDTH) if not console.is_terminal else console.width
        console.print(result.to_text())
    for path in written:
        typer.echo(f"written: {path}")


def _write(result: Table | Figure, folder: Path) -> list[Path]:
    from trainer.experiments.drawing import draw
    from trainer.experiments.rendering import Figure

    shown = folder / f"{result.name}.{'png' if isinstance(result, Figure) else 'md'}"
    numbers = folder / f"{result.name}.json"
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(result, Figure):
            draw(result, shown)
        else:
            shown.write_text(result.to_markdown(), encoding="utf-8")
        text = json.dumps(result.to_json(), ensure_ascii=False, indent=2)
        numbers.write_text(text + "\n", encoding="utf-8")
    return [shown, numbers]
