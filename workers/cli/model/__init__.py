"""The local model's commands, without queues, store or LLM.

The only modules that reach `trainer` and `linkner.recognition`, and only inside their functions: the command
starts as fast, and without torch, for everything else.
"""

from __future__ import annotations

import typer

from workers.cli.model import average, calibrate, ceiling, evaluate, experiments, extract, label, serve, train


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train.train)
    app.command()(average.average)
    app.command()(label.label)
    app.command()(evaluate.evaluate)
    app.command()(ceiling.ceiling)
    app.command()(calibrate.calibrate)
    app.command()(extract.extract)
    app.command()(serve.serve)
    app.add_typer(experiments.app)
