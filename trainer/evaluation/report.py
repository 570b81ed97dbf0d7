"""Everything that is measured on one labelled file, as one value and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from linkner.recognition.checkpoint import ModelConfig
from linkner.recognition.uncertainty import largest
from linkner.scoring import Score, Scores, score
from linkner.spans import LabelledSpan
from trainer.evaluation.linked import CHARS_PER_TOKEN, Linked, ProtocolName, unlinked
from trainer.evaluation.local import Recognised
from trainer.evaluation.metrics import (
    Bin,
    Coverage,
    Interval,
    Unseen,
    auroc,
    by_uncertainty,
    calibration_error,
    coverage_above,
    coverage_at,
    reliability,
    unseen,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a model, alone or linked, reaches on one file. Ratios are in [0, 1].

    `scores` are those of the final entities, `local` those of the model alone; `linked` and `llm` (the LLM's
    name, or `replay`) are None without an LLM. `coverage` is at the wanted number of spans a post,
    `above_epsilon` at the detector's ε.
    """

    data: str
    sentences: int
    protocol: ProtocolName
    scores: Scores
    local: Scores
    linked: Linked | None
    llm: str | None
    auroc: float | None
    bins: Sequence[Bin]
    intervals: Sequence[Interval]
    coverage: Coverage
    above_epsilon: Coverage
    unseen: Unseen | None

    def to_json(self) -> dict[str, Any]:
        """A JSON object; what was not measured is null."""
        micro, spans = self.scores.micro, self.scores.spans
        ece = calibration_error(self.bins)
        return {
            "data": self.data,
            "sentences": self.sentences,
            "protocol": self.protocol,
            "llm": self.llm,
            **score_json(micro),
            "span_f1": round(spans.f1, 6),
            "span_recall": round(spans.recall, 6),
            "local_f1": round(self.local.micro.f1, 6),
            "candidate_recall": round(self.coverage.recall, 6),
            "candidates_per_post": round(self.coverage.per_post, 4),
            "recall_above_epsilon": round(self.above_epsilon.recall, 6),
            "spans_above_epsilon_per_post": round(self.above_epsilon.per_post, 4),
            **self._cost(),
            "ece": None if ece is None else round(ece, 6),
            "auroc": None if self.auroc is None else round(self.auroc, 6),
            "unseen_recall": round(self.unseen.recall, 6) if self.unseen else None,
            "oov_rate": round(self.unseen.rate, 6) if self.unseen else None,
            "per_label": {label: score_json(score) for label, score in self.scores.per_label.items()},
            "by_uncertainty": [
                {
                    "low": round(one.low, 6),
                    "high": round(one.high, 6),
                    "f1": round(one.score.f1, 6),
                    "density": round(one.density, 6),
                }
                for one in self.intervals
            ],
        }

    def _cost(self) -> dict[str, Any]:
        if self.linked is None:
            return dict.fromkeys(
                ("llm_share", "questions_per_100_posts", "tokens_per_1000_posts", "token_count")
            )
        linked, posts = self.linked, self.sentences
        return {
            "llm_share": round(linked.llm_share, 6),
            "questions_per_100_posts": round(100 * linked.questions / posts, 3),
            "tokens_per_1000_posts": round(
                1000 * (linked.prompt_tokens + linked.completion_tokens) / posts, 1
            ),
            "prompt_tokens_per_1000_posts": round(1000 * linked.prompt_tokens / posts, 1),
            "completion_tokens_per_1000_posts": round(1000 * linked.completion_tokens / posts, 1),
            "posts_asked_per_100_posts": round(100 * linked.posts_asked / posts, 3),
            "token_count": f"estimated: {CHARS_PER_TOKEN} characters a token"
            if self.llm == "replay"
            else "the endpoint's",
        }


def local_scores(recognised: Recognised) -> Scores:
    """The scores of the predicted entities."""
    return score(
        [sentence.entities for sentence in recognised.sentences],
        [
            [LabelledSpan(scored.span, scored.label) for scored in one.entities]
            for one in recognised.recognitions
        ],
    )


def measure(
    recognised: Recognised,
    *,
    data: str,
    protocol: ProtocolName,
    config: ModelConfig,
    epsilon: float,
    per_post: float,
    linked: Linked | None = None,
    llm: str | None = None,
    seen: Collection[str] | None = None,
) -> Report:
    """Measure one file.

    Args:
        recognised: its sentences, recognised.
        data: its name.
        protocol: the one that `linked` was made with.
        config: the model's.
        epsilon: the detector's.
        per_post: spans a post at which the recall of candidates is given.
        linked: the linked result, None for the local model alone.
        llm: the judge's name.
        seen: surface forms of the training entities, to tell unseen ones.
    """
    local = local_scores(recognised)
    return Report(
        data=data,
        sentences=len(recognised.sentences),
        protocol=protocol,
        scores=linked.scores(recognised.sentences) if linked else local,
        local=local,
        linked=linked,
        llm=llm,
        auroc=auroc(recognised),
        bins=reliability(recognised),
        intervals=by_uncertainty(
            recognised,
            unlinked(recognised).entities,
            top=largest(config.uncertainty, classes=config.classes),
        ),
        coverage=coverage_at(recognised, per_post=per_post),
        above_epsilon=coverage_above(recognised, epsilon=epsilon),
        unseen=unseen(recognised, seen=seen) if seen is not None else None,
    )


def score_json(score: Score) -> dict[str, float | int]:
    """A JSON object of the counts and ratios."""
    return {
        "precision": round(score.precision, 6),
        "recall": round(score.recall, 6),
        "f1": round(score.f1, 6),
        "gold": score.gold,
        "predicted": score.predicted,
        "correct": score.correct,
    }
