"""Table 4 of the paper: what few-shot examples and label descriptions in the question are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from trainer.evaluation.judges import Judge
from trainer.experiments.rendering import Cell, Column, Table
from trainer.experiments.reported import reported_in_context, reported_llm_alone
from trainer.experiments.study import Run, Study
from trainer.experiments.tables import REPORTED_NOTE, RUN_COLUMNS, run_cells
from trainer.experiments.threshold import Thresholds

Variants = Callable[[Run, bool, bool], Judge]
"""Makes the judge of a run that is shown examples or not, and label descriptions or not."""

_ONE_FOR_ALL = (
    "Recorded answers are replayed: they were given to one form of the question and cannot change with its "
    "examples and label descriptions. One row stands for all four; to compare them, name an LLM with --llm."
)
_SAME_ANSWERS = (
    "The endpoint replays recorded answers, which cannot depend on examples and label descriptions: the rows "
    "say nothing about these."
)


def table4(study: Study, thresholds: Thresholds, variants: Variants | None) -> Table:
    """Table 4: F1 with and without few-shot examples and label descriptions.

    Without `variants` the answers are recorded ones, and one row stands for the four.
    """
    rows: list[Sequence[Cell]] = []
    for run, protocol in study.each():
        threshold = thresholds.of(run, protocol)
        head = (*run_cells(run, protocol), threshold)
        paper = run.reported.local_f1
        rows.append((*head, "local model alone", None, None, run.local_f1, None, paper))
        rows.append((*head, "LLM alone", None, None, run.llm_f1, None, reported_llm_alone(run.data_set)))
        if variants is None:
            f1 = run.f1(study.link(run, protocol=protocol, threshold=threshold))
            rows.append((*head, "linked, as recorded", None, None, f1, f1 - run.local_f1, None))
            continue
        for few_shot, described in product((False, True), repeat=2):
            judge = variants(run, few_shot, described)
            f1 = run.f1(study.link(run, protocol=protocol, threshold=threshold, judge=judge))
            paper = reported_in_context(run.data_set, few_shot=few_shot, described=described)
            rows.append((*head, "linked", _yes(few_shot), _yes(described), f1, f1 - run.local_f1, paper))
    notes = [_ONE_FOR_ALL] if variants is None else [_SAME_ANSWERS] if study.replayed else []
    return Table(
        name="table4",
        title="Table 4: few-shot examples and label descriptions",
        columns=(
            *RUN_COLUMNS,
            Column("threshold", "τ", "number"),
            Column("setting", "Setting"),
            Column("few_shot", "Few-shot"),
            Column("label_description", "Label description"),
            Column("f1", "F1", "percent"),
            Column("gain", "Δ", "points"),
            Column("paper_f1", "F1 (reported)", "percent"),
        ),
        rows=rows,
        facts={**study.facts(), "thresholds": thresholds.source, "variants": variants is not None},
        notes=[
            *notes,
            *study.notes(),
            f"F1, and Δ against the local model alone, in per cent. {thresholds.note(study)}",
            REPORTED_NOTE,
        ],
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
