"""Mean and spread over models that differ in their seed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.trainer.experiments.examples import study
from trainer.evaluation.local import Recognised
from trainer.experiments.rendering import Spread
from trainer.experiments.seeds import seeds
from trainer.experiments.study import Run, Study

(RUN,) = study(None).runs


def blind(run: Run) -> Run:
    """The same sentences, in which the model finds nothing."""
    nothing = tuple(replace(one, entities=(), plausible=()) for one in run.recognised.recognitions)
    recognised = Recognised(run.sentences, nothing, run.recognised.gold)  # type: ignore[arg-type]
    return replace(run, recognised=recognised)


def rows(*runs: Run) -> list[dict]:
    return seeds(Study(runs=runs)).to_json()["rows"]


def test_models_of_one_name_are_one_row() -> None:
    first, second = replace(RUN, model="mine-aaaa"), blind(replace(RUN, model="mine-bbbb"))
    other = replace(RUN, model="my-other-cccc")

    found = rows(first, other, second)

    assert [(row["model"], row["runs"]) for row in found] == [("mine", 2), ("my-other", 1)]
    f1 = RUN.local_f1
    assert found[0]["f1"] == {
        "mean": pytest.approx(f1 / 2, abs=1e-6),
        "deviation": pytest.approx(f1 / 2**0.5, abs=1e-6),
        "runs": 2,
    }
    assert found[1]["f1"] == {"mean": pytest.approx(f1, abs=1e-6), "deviation": 0.0, "runs": 1}


def test_uncertainties_and_files_are_rows_of_their_own() -> None:
    assert len(rows(RUN, replace(RUN, method="entropy"))) == 2


def test_what_one_run_lacks_has_no_mean() -> None:
    (row,) = rows(replace(RUN, model="mine-a"), blind(replace(RUN, model="mine-b")))
    assert row["auroc"] is None
    assert row["f1"] is not None


def test_the_spread_of_values() -> None:
    assert Spread.of([0.1, 0.3]) == Spread(0.2, pytest.approx(0.141421, abs=1e-6), 2)  # type: ignore[arg-type]
    assert Spread.of([0.5]) == Spread(0.5, 0.0, 1)
    assert Spread.of([0.5, None]) is Spread.of([]) is None
