"""Evaluations as tables for people; ratios are in per cent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from workers.cli.tables import show

if TYPE_CHECKING:
    from trainer.evaluation.report import Report

_RATIOS = {
    "F1": "f1",
    "precision": "precision",
    "recall": "recall",
    "F1 of the local model alone": "local_f1",
    "span F1": "span_f1",
    "span recall": "span_recall",
    "recall of deployed candidates": "candidate_recall",
    "recall of the best spans": "best_spans_recall",
    "calibration error (ECE)": "ece",
    "AUROC of u for wrong entities": "auroc",
    "unseen entities (OOV rate)": "oov_rate",
    "recall of unseen entities": "unseen_recall",
    "decided by the LLM": "llm_share",
}
_NUMBERS = {
    "deployed candidates a post": "candidates_per_post",
    "best spans a post": "best_spans_per_post",
}
_COUNTS = {
    "questions per 100 posts": "questions_per_100_posts",
    "prompt tokens per 1,000 posts": "prompt_tokens_per_1000_posts",
    "completion tokens per 1,000 posts": "completion_tokens_per_1000_posts",
    "sentences": "sentences",
}


def print_reports(reports: Mapping[str, Report], *, title: str, context: str) -> None:
    """A table with a column for each report, by name; for a single one, its scores by label too.

    `context` is a line that says how all of it was measured.
    """
    Console().print(context, highlight=False)
    table = Table(title=title)
    table.add_column("")
    for name in reports:
        table.add_column(name, justify="right")
    values = [report.to_json() for report in reports.values()]
    for name, key in _RATIOS.items():
        table.add_row(name, *(_cell(value[key], scale=100) for value in values))
    for name, key in _NUMBERS.items():
        table.add_row(name, *(_cell(value[key], digits=2) for value in values))
    for name, key in _COUNTS.items():
        table.add_row(name, *(_cell(value[key], digits=0) for value in values))
    show(table)
    if len(reports) == 1:
        for report in reports.values():
            show(_by_label(report))


def _cell(value: float | None, *, scale: float = 1, digits: int = 1) -> str:
    return "–" if value is None else f"{scale * value:,.{digits}f}"


def _by_label(report: Report) -> Table:
    table = Table()
    table.add_column("label")
    for column in ("precision", "recall", "F1", "gold", "predicted", "correct"):
        table.add_column(column, justify="right")
    scores = report.scores
    for label, score in (*scores.per_label.items(), ("all", scores.micro), ("spans alone", scores.spans)):
        ratios = (f"{100 * ratio:.1f}" for ratio in (score.precision, score.recall, score.f1))
        table.add_row(label, *ratios, str(score.gold), str(score.predicted), str(score.correct))
    return table
