from __future__ import annotations

import io

from rich.console import Console

from linkner.scoring import Score, Scores
from trainer.progress import TrainingBars
from trainer.recipe import Progress

SCORES = Scores(Score(6, 8, 10), {}, Score(6, 8, 10))


def shown(*told: Progress, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=120, color_system=None)
    with TrainingBars(console) as bars:
        for progress in told:
            bars.show(progress)
    return file.getvalue()


def test_a_log_gets_a_line_for_each_epoch() -> None:
    text = shown(Progress(1, 10, 20, 0.5), Progress(1, 10, 20, 0.25, dev=SCORES, best=True), terminal=False)
    assert text == "epoch 1: loss 0.2500, dev F1 0.6667 (P 0.7500, R 0.6000), best\n"


def test_a_person_sees_loss_best_dev_f1_and_time_left() -> None:
    worse = Scores(Score(1, 8, 10), {}, Score(1, 8, 10))
    text = shown(
        Progress(1, 10, 30, 0.5, dev=SCORES, best=True),
        Progress(2, 20, 30, 0.25, dev=worse),
        terminal=True,
    )
    last = text[text.rindex("epoch 2") :]
    assert "67%" in last
    assert "loss 0.2500" in last
    assert "dev F1 0.6667" in last
    assert "left" in last
