"""Training progress for a person at a terminal, and one line an epoch for a log."""

from __future__ import annotations

import rich.progress
from rich.console import Console

from trainer.recipe import Progress


class TrainingBars:
    """A bar on stderr with the loss, the best dev F1 and the time left, and a line with the dev scores after
    each epoch.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = rich.progress.Progress(
            rich.progress.TextColumn("epoch {task.fields[epoch]}"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TextColumn("loss {task.fields[loss]:.4f}"),
            rich.progress.TextColumn("dev F1 {task.fields[best]}"),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("left"),
            rich.progress.TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bars.add_task("training", total=None, epoch=1, loss=0.0, best="–")

    def __enter__(self) -> TrainingBars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, progress: Progress) -> None:
        """Move the bar; print the scores at the end of an epoch."""
        self._bars.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            epoch=progress.epoch,
            loss=progress.loss,
        )
        if progress.dev is not None:
            score = progress.dev.micro
            if progress.best:
                self._bars.update(self._task, best=f"{score.f1:.4f}")
            self._console.print(
                f"epoch {progress.epoch}: loss {progress.loss:.4f}, dev F1 {score.f1:.4f}"
                f" (P {score.precision:.4f}, R {score.recall:.4f}){', best' if progress.best else ''}",
                highlight=False,
            )
