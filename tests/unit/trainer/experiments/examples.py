"""A study of the recognised sentences made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from linkner.labels import label_set
from linkner.replies import RecordedReply
from tests.unit.trainer.evaluation.examples import recognised
from trainer.evaluation.judges import Asked, Judge, ReplayJudge, Spent, Verdict
from trainer.evaluation.local import pooled
from trainer.experiments.registry import DATA_SETS, DataFile
from trainer.experiments.rendering import FEW
from trainer.experiments.study import Run, Study

WNUT17 = label_set("wnut17")


POSTS = pooled([recognised()] * FEW)
"""Three posts, so often that their entities are not few."""


def replay() -> ReplayJudge:
    """An LLM that knows the gold entities, recorded."""
    return ReplayJudge([RecordedReply(one.entities, {}) for one in POSTS.sentences], WNUT17)


@dataclass
class OneLabelJudge:
    """An LLM that answers every question with one label, and notes what it is asked."""

    label: str = "person"
    replayed: bool = False
    asked: list[Asked] = field(default_factory=list)

    name = "one-label"

    token_count = "not at all"

    def classify(self, asked):
        self.asked += asked
        return [
            Verdict(
                labels=dict.fromkeys(one.candidates, self.label),
                spent=Spent(len(one.candidates), len(one.candidates) if self.replayed else 0, 10, 1),
            )
            for one in asked
        ]


def study(judge: Judge | None, *protocols: str, known: bool = True) -> Study:
    """One run on POSTS, of the WNUT'17 test set if that is `known`."""
    run = Run(
        model="tiny",
        method="evidential",
        largest=1.0,
        data=DataFile(Path("wnut17/test.conll"), DATA_SETS["wnut17"] if known else None, "test"),
        recognised=POSTS,
        labels=WNUT17,
        judge=judge,
    )
    return Study(runs=[run], protocols=protocols, llm="an LLM" if judge else "")  # type: ignore[arg-type]
