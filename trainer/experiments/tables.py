"""The paper's tables 3, 6 and 7; table 4 is in `in_context`."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.evaluation.linked import ProtocolName
from trainer.experiments.rendering import FEW, Cell, Column, Table
from trainer.experiments.reported import reported_llm_alone
from trainer.experiments.study import WIDTH, Run, Study
from trainer.experiments.threshold import Thresholds, by_rule

RUN_COLUMNS = (
    Column("data", "Data", noted=True),
    Column("data_set"),
    Column("model", "Model", noted=True),
    Column("uncertainty", "Uncertainty", noted=True),
    Column("protocol", "Protocol"),
)
REPORTED_NOTE = "Columns `reported`: what the paper reports, on test sets, with BERT encoders and GPT-3.5."


def run_cells(run: Run, protocol: ProtocolName) -> tuple[Cell, ...]:
    """The values of RUN_COLUMNS."""
    return (run.data.title, run.data_set, run.model, run.method, protocol)


def table3(study: Study, thresholds: Thresholds) -> Table:
    """Table 3: F1 of the local model alone, and linked to the LLM, for each uncertainty."""
    rows: list[Sequence[Cell]] = []
    gains: list[float] = []
    for run, protocol in study.each():
        threshold = thresholds.of(run, protocol)
        linked = run.f1(study.link(run, protocol=protocol, threshold=threshold))
        gains.append(linked - run.local_f1)
        rows.append(
            (
                *run_cells(run, protocol),
                threshold,
                run.local_f1,
                linked,
                gains[-1],
                run.llm_f1,
                run.reported.local_f1,
                run.reported.linked_f1,
                reported_llm_alone(run.data_set),
            )
        )
    return Table(
        name="table3",
        title="Table 3: the local model alone and linked to the LLM",
        columns=(
            *RUN_COLUMNS,
            Column("threshold", "τ", "number"),
            Column("local_f1", "Local F1", "percent"),
            Column("linked_f1", "Linked F1", "percent"),
            Column("gain", "Δ", "points"),
            Column("llm_f1", "LLM alone F1", "percent"),
            Column("paper_local_f1", "Local (reported)", "percent"),
            Column("paper_linked_f1", "Linked (reported)", "percent"),
            Column("paper_llm_f1", "LLM alone (reported)", "percent"),
        ),
        rows=rows,
        facts={**study.facts(), "thresholds": thresholds.source},
        notes=[
            *study.notes(),
            f"F1 and Δ in per cent: entity-level, micro. {thresholds.note(study)} Gain of linking: "
            f"{100 * min(gains):+.2f} to {100 * max(gains):+.2f}.",
            REPORTED_NOTE,
        ],
    )


def table6(study: Study) -> Table:
    """Table 6: τ by the paper's rule; the runs are on dev sets."""
    rows: list[Sequence[Cell]] = []
    for run, protocol in study.each():
        choice = by_rule(study, run, protocol)
        rows.append(
            (
                *run_cells(run, protocol),
                run.local_f1,
                choice.linked_f1,
                choice.threshold,
                run.reported.threshold,
            )
        )
    return Table(
        name="table6",
        title="Table 6: thresholds by the paper's rule",
        columns=(
            *RUN_COLUMNS,
            Column("local_f1", "Local F1", "percent"),
            Column("fully_linked_f1", "Fully linked F1", "percent"),
            Column("threshold", "τ", "number"),
            Column("paper_threshold", "τ (reported)", "number"),
        ),
        rows=rows,
        facts=study.facts(),
        notes=[
            *study.notes(),
            f"τ is the upper end of the last interval of u, {WIDTH:g} wide and with at least {FEW} entities, "
            "in which the local model's F1 is not below that of the fully linked system (τ = 0). The one "
            "reported is the paper's, for its own models.",
        ],
    )


def table7(study: Study, thresholds: Thresholds) -> Table:
    """Table 7: the share of entities whose type the LLM decided."""
    rows: list[Sequence[Cell]] = []
    for run, protocol in study.each():
        threshold = thresholds.of(run, protocol)
        linked = study.link(run, protocol=protocol, threshold=threshold)
        rows.append(
            (
                *run_cells(run, protocol),
                threshold,
                linked.llm_share,
                100 * linked.candidates / len(run.sentences),
                run.reported.llm_share,
            )
        )
    return Table(
        name="table7",
        title="Table 7: the share of entities that the LLM decided",
        columns=(
            *RUN_COLUMNS,
            Column("threshold", "τ", "number"),
            Column("llm_share", "Decided by the LLM (%)", "percent"),
            Column("questions_per_100_posts", "Questions per 100 posts", "number"),
            Column("paper_llm_share", "LLM (reported, %)", "percent"),
        ),
        rows=rows,
        facts={**study.facts(), "thresholds": thresholds.source},
        notes=[
            *study.notes(),
            f"Share of the linked system's entities whose type the LLM decided. {thresholds.note(study)}",
            REPORTED_NOTE,
        ],
    )
