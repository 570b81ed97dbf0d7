"""Evaluation reports as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from trainer.evaluation.report import Report


def print_reports(reports: Sequence[Report], *, title: str) -> None:
    """A table with a column for each file, then one of scores by label; ratios are in per cent."""
    console = Console()
    table = Table(title=title)
    table.add_column("")
    for report in reports:
        table.add_column(report.data, justify="right")
    for name, cells in zip(_NAMES, zip(*map(_figures, reports), strict=True), strict=True):
        table.add_row(name, *cells)
    console.print(table)
    for report in reports:
        console.print(_by_label(report))


_NAMES = (
    "F1",
    "precision",
    "recall",
    "F1 of the local model alone",
    "span F1",
    "span recall",
    "recall of candidates",
    "  at spans a post",
    "AUROC of u for wrong entities",
    "ECE",
    "unseen entities",
    "recall of unseen entities",
    "decided by the LLM",
    "questions per 100 posts",
    "tokens per 1,000 posts",
    "protocol",
    "LLM",
)


def _figures(report: Report) -> tuple[str, ...]:
    value = report.to_json()

    def percent(name: str) -> str:
        return "–" if value[name] is None else f"{100 * value[name]:.1f}"

    def number(name: str) -> str:
        return "–" if value[name] is None else f"{value[name]:,.1f}"

    return (
        *(percent(name) for name in ("f1", "precision", "recall", "local_f1", "span_f1", "span_recall")),
        percent("candidate_recall"),
        f"{value['candidates_per_post']:.2f}",
        *(percent(name) for name in ("auroc", "ece", "oov_rate", "unseen_recall", "llm_share")),
        number("questions_per_100_posts"),
        number("tokens_per_1000_posts"),
        report.protocol,
        report.llm or "none",
    )


def _by_label(report: Report) -> Table:
    table = Table(title=f"{report.data}: {report.sentences:,} sentences")
    table.add_column("label")
    for column in ("precision", "recall", "F1", "gold", "predicted", "correct"):
        table.add_column(column, justify="right")
    scores = report.scores
    for label, score in (*scores.per_label.items(), ("all", scores.micro), ("spans alone", scores.spans)):
        ratios = (f"{100 * ratio:.1f}" for ratio in (score.precision, score.recall, score.f1))
        table.add_row(label, *ratios, str(score.gold), str(score.predicted), str(score.correct))
    return table
