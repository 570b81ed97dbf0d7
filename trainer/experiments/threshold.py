"""The threshold τ: by the paper's rule, from the paper's Table 6, from a table made before, or a number."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from linkner.errors import ConfigurationError
from trainer.evaluation.linked import ProtocolName
from trainer.evaluation.metrics import Interval
from trainer.experiments.rendering import FEW
from trainer.experiments.study import Run, Study, Subject

PAPER = "paper"

_FLATTERING = " It was chosen on data that is evaluated here, which flatters the linked system."


def intersection(local: Sequence[Interval], *, linked_f1: float) -> float:
    """The paper's rule (section 5.3, figure 5): τ is where the local model's F1 falls below the LLM's.

    Both are read off on the dev set: the local model's F1 by intervals of its uncertainty, and one level, the
    F1 of the fully linked system (τ = 0), in which the LLM classifies every span. Where the curve crosses the
    level more than once, the last crossing counts: beyond τ the LLM is the better one everywhere. Intervals
    with fewer than FEW entities are passed over.

    Args:
        local: the local model's scores in each interval of u, lowest first.
        linked_f1: the level, in [0, 1].

    Returns:
        The upper end of the last interval whose F1 is not below the level; 0 where there is none.
    """
    reached = [one.high for one in local if entities_in(one) >= FEW and one.score.f1 >= linked_f1]
    return reached[-1] if reached else 0.0


def entities_in(interval: Interval) -> int:
    """On how many entities the F1 of the interval rests: the predicted or the gold ones."""
    return max(interval.score.predicted, interval.score.gold)


@dataclass(frozen=True, slots=True)
class Choice:
    """τ by the rule, and what it was read off: the local intervals, and the level."""

    threshold: float
    local: Sequence[Interval]
    linked_f1: float


def by_rule(study: Study, run: Run, protocol: ProtocolName) -> Choice:
    """The paper's rule on a run, which is on a dev set."""
    linked_f1 = run.f1(study.link(run, protocol=protocol, threshold=0.0))
    local = run.intervals(run.local.entities)
    return Choice(intersection(local, linked_f1=linked_f1), local, linked_f1)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Gives each run its τ under a protocol; `source` says in words where they are from.

    `of` raises ConfigurationError where there is none for the run; it can be asked before there is a run.
    `chosen_on` are the titles of the data that the rule has seen.
    """

    source: str
    of: Callable[[Subject, ProtocolName], float]
    chosen_on: frozenset[str] = frozenset()

    def note(self, study: Study) -> str:
        """The source as a sentence, with a warning where the rule has seen what is evaluated."""
        seen = self.chosen_on & {run.data.title for run in study.runs}
        return f"{self.source}.{_FLATTERING if seen else ''}"


def read_thresholds(given: str) -> Thresholds:
    """The thresholds that an option names: `paper`, a number, or a file of `linkner experiments table6`.

    Raises:
        ConfigurationError: it is none of them.
    """
    if given == PAPER:
        return Thresholds("τ from the paper's Table 6, chosen there for other models", _of_paper)
    try:
        value = float(given)
    except ValueError:
        return _from_file(Path(given))
    if not _is_threshold(value):
        raise ConfigurationError(
            "--threshold is out of range", expected="`paper`, or a number from 0 on", got=given
        )
    return Thresholds(f"τ = {value:g}, as given", lambda *_: value)


def _is_threshold(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _of_paper(run: Subject, protocol: ProtocolName) -> float:
    if run.reported.threshold is None:
        raise ConfigurationError(
            f"the paper has no threshold for {run.title}, protocol {protocol}",
            expected="a number, or the JSON file that `linkner experiments table6` writes",
            hint="give it with --threshold",
        )
    return run.reported.threshold


def _from_file(path: Path) -> Thresholds:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        for row in rows:
            if not _is_threshold(float(row["threshold"])):
                raise ValueError(f"threshold {row['threshold']}")
            _ = [row[key] for key in ("data", "data_set", "model", "uncertainty", "protocol")]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise ConfigurationError(
            f"--threshold {path} cannot be used",
            expected="`paper`, a number, or the JSON file that `linkner experiments table6` writes",
            got=f"{type(error).__name__}: {error}"[:120],
        ) from None
    data = dict.fromkeys(str(row["data"]) for row in rows)
    source = f"τ by the paper's rule on {', '.join(data)} ({path.name})"
    return Thresholds(source, partial(_of_rows, path, rows), frozenset(data))


def _of_rows(path: Path, rows: Sequence[Mapping[str, Any]], run: Subject, protocol: ProtocolName) -> float:
    """The row of the model, uncertainty and protocol; of several, the one of the data trained on."""
    wanted = (run.model, run.method, protocol)
    found = [row for row in rows if (row["model"], row["uncertainty"], row["protocol"]) == wanted]
    known = run.data.data_set
    related = (known.name, known.trained_on) if known else ()
    chosen = [row for row in found if row["data_set"] in related] or found
    if len(chosen) != 1:
        raise ConfigurationError(
            f"{path} does not have one threshold for {run.title}, protocol {protocol}",
            expected="a row of this model, uncertainty and protocol",
            got=f"{len(chosen)} rows",
            hint="make it with `linkner experiments table6` on the dev set",
        )
    return float(chosen[0]["threshold"])
