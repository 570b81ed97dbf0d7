"""Everything that is measured on one labelled data set, as one value and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linkner.detection import Detects
from linkner.scoring import Score, Scores
from trainer.evaluation import metrics
from trainer.evaluation.linked import Linked, unlinked
from trainer.evaluation.linked import pooled as pool_linked
from trainer.evaluation.local import Recognised
from trainer.evaluation.local import pooled as pool_recognised
from trainer.evaluation.metrics import Bin, Coverage, Interval, Unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a model, alone or linked to an LLM, reaches on one data set. Ratios are in [0, 1].

    `scores` and `intervals` are of the final entities, `local` of the local model's alone; `bins` and `auroc`
    are the local model's, too. `coverage` is what the deployed detector looks at, `best` what the best spans
    by entity probability would cover.
    """

    sentences: int
    scores: Scores
    local: Scores
    linked: Linked
    auroc: float | None
    bins: Sequence[Bin]
    intervals: Sequence[Interval]
    coverage: Coverage
    best: Coverage
    unseen: Unseen | None

    @property
    def ece(self) -> float | None:
        """The expected calibration error of the predicted entities' probability; None without entities."""
        return metrics.calibration_error(self.bins)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; what was not measured is null."""
        linked, spans, spent = self.linked, self.scores.spans, self.linked.spent
        return {
            "sentences": self.sentences,
            **score_json(self.scores.micro),
            "span_f1": _rounded(spans.f1),
            "span_precision": _rounded(spans.precision),
            "span_recall": _rounded(spans.recall),
            "local_f1": _rounded(self.local.micro.f1),
            "candidate_recall": _rounded(self.coverage.recall),
            "candidates_per_post": _rounded(self.coverage.per_post),
            "best_spans_per_post": _rounded(self.best.per_post),
            "best_spans_recall": _rounded(self.best.recall),
            "questions_per_100_posts": self._per(100, spent.questions),
            "posts_asked_per_100_posts": self._per(100, linked.posts_asked),
            "tokens_per_1000_posts": self._per(1000, spent.tokens),
            "prompt_tokens_per_1000_posts": self._per(1000, spent.prompt_tokens),
            "completion_tokens_per_1000_posts": self._per(1000, spent.completion_tokens),
            "candidates_asked": linked.candidates,
            "unanswered": linked.unanswered,
            "llm_share": _rounded(linked.llm_share),
            "ece": _rounded(self.ece),
            "auroc": _rounded(self.auroc),
            "unseen_recall": _rounded(self.unseen.recall) if self.unseen else None,
            "oov_rate": _rounded(self.unseen.rate) if self.unseen else None,
            "per_label": {label: score_json(score) for label, score in self.scores.per_label.items()},
            "by_uncertainty": [
                {
                    "low": _rounded(one.low),
                    "high": _rounded(one.high),
                    "f1": _rounded(one.score.f1) if one.score.predicted or one.score.gold else None,
                    "density": _rounded(one.density),
                    "predicted": one.score.predicted,
                    "gold": one.score.gold,
                }
                for one in self.intervals
            ],
        }

    def _per(self, posts: int, count: int) -> float:
        return round(posts * count / self.sentences, 3)


def measure(
    recognised: Recognised,
    *,
    detector: Detects,
    linked: Linked | None = None,
    seen: Collection[str] | None = None,
    best_spans: float = 1.0,
    top: float = 1.0,
) -> Report:
    """Measure the model on one data set.

    Args:
        recognised: the data set, recognised.
        detector: what finds the candidates in a deployed system.
        linked: the linked result; None for the local model alone.
        seen: surface forms of the training entities (`metrics.surfaces`), to tell the unseen ones.
        best_spans: spans a post at which the recall of the best spans is given.
        top: the largest u that the model can give.
    """
    local = unlinked(recognised)
    result = linked or local
    return Report(
        sentences=len(recognised),
        scores=result.scores(recognised.sentences),
        local=local.scores(recognised.sentences),
        linked=result,
        auroc=metrics.auroc(recognised),
        bins=metrics.reliability(recognised),
        intervals=metrics.by_uncertainty(recognised, result.entities, top=top),
        coverage=metrics.coverage(recognised, detector),
        best=metrics.coverage_at(recognised, per_post=best_spans),
        unseen=metrics.unseen(recognised.sentences, result.entities, seen=seen) if seen is not None else None,
    )


def measure_all(
    runs: Mapping[str, tuple[Recognised, Linked]],
    *,
    detector: Detects,
    seen: Collection[str] | None = None,
    best_spans: float = 1.0,
    top: float = 1.0,
) -> dict[str, Report]:
    """A report on each data set by its name; of several, one on `all` of them taken as one comes last."""
    every = dict(runs)
    if len(runs) > 1:
        recognised, linked = zip(*runs.values(), strict=True)
        every["all"] = (pool_recognised(recognised), pool_linked(linked))
    return {
        name: measure(recognised, detector=detector, linked=linked, seen=seen, best_spans=best_spans, top=top)
        for name, (recognised, linked) in every.items()
    }


def score_json(score: Score) -> dict[str, float | int]:
    """A JSON object of the ratios and counts."""
    return {
        "precision": round(score.precision, 6),
        "recall": round(score.recall, 6),
        "f1": round(score.f1, 6),
        "gold": score.gold,
        "predicted": score.predicted,
        "correct": score.correct,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
