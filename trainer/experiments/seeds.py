"""What the seed of a training changes: mean and spread over models of the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from linkner.detection import Detector
from trainer.evaluation.report import Report, measure
from trainer.experiments.rendering import Column, Spread, Table
from trainer.experiments.study import Run, Study

BEST_SPANS = 1.0
"""Spans a post at which the recall of the best spans is given."""

_MEASURES: tuple[tuple[Column, Callable[[Report], float | None]], ...] = (
    (Column("precision", "P", "percent"), lambda report: report.scores.micro.precision),
    (Column("recall", "R", "percent"), lambda report: report.scores.micro.recall),
    (Column("f1", "F1", "percent"), lambda report: report.scores.micro.f1),
    (Column("span_f1", "Span F1", "percent"), lambda report: report.scores.spans.f1),
    (
        Column("best_spans_recall", f"Recall at {BEST_SPANS:g} a post", "percent"),
        lambda report: report.best.recall,
    ),
    (Column("auroc", "AUROC of u", "number"), lambda report: report.auroc),
    (Column("ece", "ECE", "number"), lambda report: report.ece),
)


def seeds(study: Study) -> Table:
    """The local model without an LLM: one row for each file, model name and uncertainty."""
    groups: dict[tuple[str, str, str], list[Report]] = defaultdict(list)
    for run in study.runs:
        groups[run.data.title, run.recipe, run.method].append(_report(run))
    return Table(
        name="seeds",
        title="The local model over seeds",
        columns=(
            Column("data", "Data", noted=True),
            Column("model", "Model"),
            Column("uncertainty", "Uncertainty"),
            Column("runs", "Runs", "count"),
            *(column for column, _ in _MEASURES),
        ),
        rows=[
            (*key, len(reports), *(Spread.of([value(one) for one in reports]) for _, value in _MEASURES))
            for key, reports in groups.items()
        ],
        facts=study.facts(),
        notes=[
            *study.notes(),
            "Models of one name are runs of one recipe that differ in their seed: mean ± standard deviation "
            "(of a sample). P, R and F1 in per cent: entity-level, micro; span F1 leaves types aside; recall "
            f"is that of the best spans by entity probability, {BEST_SPANS:g} a post on average. AUROC: of u "
            "as a sign of wrong entities. No LLM takes part.",
        ],
    )


def _report(run: Run) -> Report:
    return measure(run.recognised, detector=Detector(), best_spans=BEST_SPANS)
