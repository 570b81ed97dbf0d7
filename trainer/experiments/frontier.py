"""The frontier: F1 over the questions asked, of LLM and local model alone, and of two ways to link."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linkner.classification import Form
from linkner.detection import MAX_CANDIDATES, Detector
from linkner.errors import ConfigurationError
from trainer.calibration import frontier as bought_by_budget
from trainer.evaluation.judges import Judge
from trainer.evaluation.linked import link_all
from trainer.evaluation.remembering import in_form
from trainer.experiments.rendering import Figure, Panel, Series
from trainer.experiments.study import Run, Study

_TOP = 100.0
AREA_TO = 60.0
"""Questions per 100 posts up to which the areas under the curves are compared."""

_STEPS = 20  # thresholds of the paper's rule

Point = tuple[float, float]


def frontier(study: Study) -> Figure:
    """F1 over questions per 100 posts, one panel a run; the areas of both curves are in its facts."""
    panels, areas = [], []
    for run in study.runs:
        by_rule, by_budget = _by_rule(run), _by_budget(run)
        areas.append(
            {
                "run": run.title,
                "paper": round(area(by_rule), 6),
                "budget": round(area(by_budget), 6),
                "local_f1": round(run.local_f1, 6),
                "llm_f1": run.llm_f1 and round(run.llm_f1, 6),
            }
        )
        panels.append(_panel(run, by_rule, by_budget))
    return Figure(
        name="frontier",
        title="F1 over the questions asked",
        panels=panels,
        facts={**study.facts(), "areas_to": AREA_TO, "areas": areas},
        notes=[
            *study.notes(),
            "The paper's rule asks a question about each predicted entity with u > τ. Budgets ask one about "
            f"the candidates of a post (form `propose`, at most {MAX_CANDIDATES}), by calibrated error "
            "probabilities; they are cross-validated inside the data.",
        ],
    )


def area(curve: Sequence[Point]) -> float:
    """Mean F1 over 0 to AREA_TO questions per 100 posts; the curve is level beyond its last point."""
    asked, f1 = zip(*sorted(curve), strict=True)
    grid = np.linspace(0.0, AREA_TO, 601)
    return float(np.interp(grid, asked, f1).mean())


def _panel(run: Run, by_rule: Sequence[Point], by_budget: Sequence[Point]) -> Panel:
    def line(label: str, curve: Sequence[Point]) -> Series:
        asked, f1 = zip(*sorted(curve), strict=True)
        return Series(label=label, kind="line", x=asked, y=f1)

    series = [
        Series(label="local model alone", kind="level", x=(0.0, _TOP), y=(run.local_f1, run.local_f1)),
        line("the paper's rule (τ)", by_rule),
        line("budgets", by_budget),
    ]
    if run.llm_f1 is not None:
        series.append(Series(label="LLM alone", kind="point", x=(_TOP,), y=(run.llm_f1,)))
    return Panel(title=run.title, x="questions per 100 posts", y="F1 (%)", top=_TOP, series=series)


def _by_rule(run: Run) -> list[Point]:
    """The paper's rule on a stream: only predicted entities, from the largest threshold to none."""
    judge = in_form(_judge(run), Form())
    points = [(0.0, run.local_f1)]
    for step in range(_STEPS):
        rule = Detector(threshold=run.largest * step / _STEPS, epsilon=1.0, max_candidates=1_000)
        linked = link_all(run.recognised, detector=rule, judge=judge)
        points.append((100 * linked.candidates / len(run.recognised), run.f1(linked)))  # a question each
    return points


def _by_budget(run: Run) -> list[Point]:
    form = Form(name="propose")
    found = bought_by_budget(run.recognised, in_form(_judge(run), form), proposes=form.proposes)
    return [(0.0, run.local_f1), *((one.questions, one.f1) for one in found)]


def _judge(run: Run) -> Judge:
    if run.judge is None:
        raise ConfigurationError("the frontier needs an LLM", expected="--replies or --llm")
    return run.judge
