"""Progress on stderr: bars for a person at a terminal, a line now and then for a log."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_LINE_EVERY_S = 5.0


class Steps:
    """Named steps of one long command. `say` prints a line; `at` moves a step's bar."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal or quiet,
        )
        self._tasks: dict[str, TaskID] = {}
        self._totals: dict[str, int] = {}
        self._last_line = 0.0

    def __enter__(self) -> Steps:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, message: str) -> None:
        """Print one line."""
        self._console.print(f"[dim]·[/dim] {message}", highlight=False, soft_wrap=True)

    def expect(self, step: str, total: int) -> None:
        """Announce a step and how much it has to do, or that it begins again."""
        self._totals[step] = total
        if step in self._tasks:
            self._bars.reset(self._tasks[step], total=total)
        else:
            self._tasks[step] = self._bars.add_task(step, total=total)

    def at(self, step: str, done: int) -> None:
        """Tell how far a step has come."""
        total = self._totals[step]
        self._bars.update(self._tasks[step], completed=done)
        now = time.monotonic()
        if not self._console.is_terminal and (done >= total or now - self._last_line > _LINE_EVERY_S):
            self._last_line = now
            self.say(f"{step} {done:,} of {total:,}")

    def show(self, step: str, done: int, total: int) -> None:
        """Both: how far a step has come that may not have been announced."""
        if self._totals.get(step) != total:
            self.expect(step, total)
        self.at(step, done)
