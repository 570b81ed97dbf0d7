"""The local model's commands, without queues, store or LLM.

The only modules that reach `trainer` and `linkner.recognition`, and only inside their functions: the command
starts as fast, and without torch, for everything else.
"""

from __future__ import annotations

import typer

from workers.cli.model import calibrate, evaluate, experiments, extract, serve, train


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (train.train, calibrate.calibrate, evaluate.evaluate, extract.extract, serve.serve):
        app.command()(command)
    app.add_typer(experiments.app)
