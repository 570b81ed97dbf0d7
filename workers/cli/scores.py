"""Scores for people and for machines."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from linkner.scoring import Score, Scores


def _score_json(score: Score) -> dict[str, float | int]:
    return {
        "precision": round(score.precision, 6),
        "recall": round(score.recall, 6),
        "f1": round(score.f1, 6),
        "gold": score.gold,
        "predicted": score.predicted,
        "correct": score.correct,
    }


def scores_json(scores: Scores) -> dict[str, Any]:
    """A JSON object; ratios are in [0, 1]."""
    return {
        **_score_json(scores.micro),
        "span_f1": round(scores.spans.f1, 6),
        "per_label": {label: _score_json(score) for label, score in scores.per_label.items()},
    }


def print_scores(scores: Scores, *, title: str) -> None:
    """A table on standard output; ratios are in per cent."""
    table = Table(title=title)
    table.add_column("label")
    for column in ("precision", "recall", "F1", "gold", "predicted", "correct"):
        table.add_column(column, justify="right")
    for label, score in (*scores.per_label.items(), ("all", scores.micro), ("spans alone", scores.spans)):
        ratios = (f"{100 * ratio:.1f}" for ratio in (score.precision, score.recall, score.f1))
        table.add_row(label, *ratios, str(score.gold), str(score.predicted), str(score.correct))
    Console().print(table)
