"""The paper's figures 4 to 7: quality by uncertainty, and by the threshold on it."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.evaluation.linked import Linked
from trainer.evaluation.metrics import Interval
from trainer.experiments.rendering import FEW, Figure, Panel, Series
from trainer.experiments.study import WIDTH, Run, Study
from trainer.experiments.threshold import Thresholds, by_rule, entities_in

_X_INTERVAL, _X_THRESHOLD, _Y = "uncertainty u", "threshold τ", "F1 (%)"
_INTERVALS = (
    f"Points are intervals of the local model's u, {WIDTH:g} wide; a gold entity that was not found counts "
    "where the u of its span is. Intervals without entities have no point, those "
    f"with fewer than {FEW} a hollow one."
)


def figure4(study: Study) -> Figure:
    """Figure 4: F1 of the local model and density of its entities by uncertainty, one panel a run."""
    panels = [
        Panel(
            title=run.title,
            x=_X_INTERVAL,
            y=_Y,
            right="share of predicted entities (%)",
            top=run.top,
            series=(
                _density(run, run.local),
                _by_interval("local F1", run.intervals(run.local.entities)),
            ),
        )
        for run in study.runs
    ]
    return Figure(
        name="figure4",
        title="Figure 4: the local model by uncertainty",
        panels=panels,
        facts=study.facts(),
        notes=[*study.notes(), f"{_INTERVALS} No LLM takes part."],
    )


def figure5(study: Study) -> Figure:
    """Figure 5: the choice of τ on a dev set, one panel for each run and protocol."""
    panels = []
    for run, protocol in study.each():
        choice = by_rule(study, run, protocol)
        ends = (0.0, run.top)
        series = (
            _by_interval("local F1 by interval", choice.local),
            Series(
                label=f"fully linked F1 (τ = 0), {protocol}",
                kind="level",
                x=ends,
                y=(choice.linked_f1, choice.linked_f1),
            ),
            Series(
                label=f"τ = {choice.threshold:.3g}",
                kind="point",
                x=(choice.threshold,),
                y=(choice.linked_f1,),
            ),
        )
        panels.append(
            Panel(title=f"{run.title}, {protocol}", x=_X_INTERVAL, y=_Y, top=run.top, series=series)
        )
    return Figure(
        name="figure5",
        title="Figure 5: the choice of the threshold",
        panels=panels,
        facts=study.facts(),
        notes=[
            *study.notes(),
            f"{_INTERVALS} τ is the end of the last filled point not below the level.",
        ],
    )


def figure6(study: Study, thresholds: Thresholds) -> Figure:
    """Figure 6: F1 of the linked system over the threshold, one panel a run; the chosen τ is marked."""
    panels = []
    for run in study.runs:
        grid = [round(place * WIDTH, 6) for place in range(round(run.top / WIDTH))]
        series = []
        for protocol in study.protocols:
            values = [run.f1(study.link(run, protocol=protocol, threshold=threshold)) for threshold in grid]
            chosen = thresholds.of(run, protocol)
            reached = run.f1(study.link(run, protocol=protocol, threshold=chosen))
            series += [
                Series(label=f"linked, {protocol}", kind="line", x=grid, y=values),
                Series(label=f"chosen τ = {chosen:.3g}, {protocol}", kind="point", x=(chosen,), y=(reached,)),
            ]
        local = run.local_f1
        series.append(Series(label="local model alone", kind="level", x=(0.0, run.top), y=(local, local)))
        panels.append(Panel(title=run.title, x=_X_THRESHOLD, y=_Y, top=run.top, series=series))
    return Figure(
        name="figure6",
        title="Figure 6: the linked system over the threshold",
        panels=panels,
        facts={**study.facts(), "thresholds": thresholds.source},
        notes=[*study.notes(), f"Chosen {thresholds.note(study)}"],
    )


def figure7(study: Study, thresholds: Thresholds) -> Figure:
    """Figure 7: F1 of the local model and of the linked system by uncertainty, one panel a run."""
    panels = []
    for run in study.runs:
        series = [_by_interval("local model alone", run.intervals(run.local.entities))]
        for protocol in study.protocols:
            threshold = thresholds.of(run, protocol)
            linked = study.link(run, protocol=protocol, threshold=threshold)
            series.append(
                _by_interval(f"linked, {protocol}, τ = {threshold:.3g}", run.intervals(linked.entities))
            )
        panels.append(Panel(title=run.title, x=_X_INTERVAL, y=_Y, top=run.top, series=series))
    return Figure(
        name="figure7",
        title="Figure 7: local and linked by uncertainty",
        panels=panels,
        facts={**study.facts(), "thresholds": thresholds.source},
        notes=[*study.notes(), f"{_INTERVALS} {thresholds.note(study)}"],
    )


def _by_interval(label: str, intervals: Sequence[Interval]) -> Series:
    return Series(
        label=label,
        kind="line",
        x=[(one.low + one.high) / 2 for one in intervals],
        y=[one.score.f1 if entities_in(one) else None for one in intervals],
        counts=[entities_in(one) for one in intervals],
    )


def _density(run: Run, linked: Linked) -> Series:
    intervals = run.intervals(linked.entities)
    return Series(
        label="entity density",
        kind="bars",
        x=[(one.low + one.high) / 2 for one in intervals],
        y=[one.density for one in intervals],
    )
