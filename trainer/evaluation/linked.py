"""The local model linked to an LLM: detection, classification and linking as the stream does them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from linkner.conll import Sentence
from linkner.detection import Detector, Detects
from linkner.errors import ConfigurationError
from linkner.linking import link
from linkner.scoring import Scores, score
from linkner.spans import Entity, LabelledSpan, Recognition, ScoredSpan
from trainer.evaluation.judges import NOTHING, Asked, Judge, Spent, Verdict
from trainer.evaluation.local import Recognised

ProtocolName = Literal["deployed", "paper"]
"""How candidates are found.

`deployed`: by the detector, which sees what the local model says and no gold. `paper`: as the paper
evaluates, predicted entities with u > τ, and gold spans that the model labelled O with u > τ. That puts gold
boundaries before the LLM, which no stream can: it is for comparison with the paper's tables only.
"""

NO_ANSWER = "no-answer"
"""The reason of a candidate that the judge gave no label to."""

_SILENCE = Verdict({}, NOTHING)


@dataclass(frozen=True, slots=True)
class Linked:
    """The final entities of every sentence, and what was asked for them; without an LLM, nothing.

    `posts_asked` counts the sentences with a candidate, `unanswered` the candidates without an answer.
    """

    entities: tuple[tuple[Entity, ...], ...]
    posts_asked: int = 0
    candidates: int = 0
    unanswered: int = 0
    spent: Spent = NOTHING

    def scores(self, sentences: Sequence[Sentence]) -> Scores:
        """Entity-level scores against the gold of the sentences."""
        return score(
            [sentence.entities for sentence in sentences],
            [[LabelledSpan(one.span, one.label) for one in entities] for entities in self.entities],
        )

    @property
    def replayed(self) -> bool:
        """Whether any answer was recorded earlier."""
        return self.spent.replayed > 0

    @property
    def llm_share(self) -> float | None:
        """The share of the final entities whose label the LLM decided (Table 7); None without entities."""
        decided = [one.decided_by == "llm" for entities in self.entities for one in entities]
        return sum(decided) / len(decided) if decided else None


def unlinked(recognised: Recognised) -> Linked:
    """The local model's entities, as they stand without an LLM."""
    return Linked(tuple(_link(recognition, (), _SILENCE) for recognition in recognised.recognitions))


def link_all(
    recognised: Recognised, *, detector: Detects, judge: Judge | None, protocol: ProtocolName = "deployed"
) -> Linked:
    """Have the candidates of every sentence judged, and link the verdicts to the local model's entities.

    Without a judge the local model's entities stand as they are.

    Raises:
        ConfigurationError: the protocol is `paper`, and the detector has no threshold.
        ServiceError: the judge failed.
    """
    if judge is None:
        return unlinked(recognised)
    found = [
        candidates(recognised, index, detector=detector, protocol=protocol)
        for index in range(len(recognised))
    ]
    return link_found(recognised, found, judge=judge)


def link_found(recognised: Recognised, found: Sequence[Sequence[ScoredSpan]], *, judge: Judge) -> Linked:
    """The same for candidates that were found already, those of each sentence.

    Raises:
        ServiceError: the judge failed.
    """
    asked = [
        Asked(index, recognised.sentences[index], tuple(scored.span for scored in chosen))
        for index, chosen in enumerate(found)
        if chosen
    ]
    verdicts = judge.classify(asked)
    said = {one.index: verdict for one, verdict in zip(asked, verdicts, strict=True)}
    return Linked(
        entities=tuple(
            _link(recognition, chosen, said.get(index, _SILENCE))
            for index, (recognition, chosen) in enumerate(zip(recognised.recognitions, found, strict=True))
        ),
        posts_asked=len(asked),
        candidates=sum(map(len, found)),
        unanswered=sum(map(len, found)) - sum(len(verdict.labels) for verdict in verdicts),
        spent=sum((verdict.spent for verdict in verdicts), NOTHING),
    )


def candidates(
    recognised: Recognised, index: int, *, detector: Detects, protocol: ProtocolName
) -> tuple[ScoredSpan, ...]:
    """What is asked about in one sentence under the protocol. `paper` knows neither ε nor a budget.

    Raises:
        ConfigurationError: `paper` is given a detector without a threshold.
    """
    recognition = recognised.recognitions[index]
    if protocol == "deployed":
        return detector.candidates(recognition)
    if not isinstance(detector, Detector):
        raise ConfigurationError("the paper's protocol knows no budget", expected="a threshold τ")
    predicted = {scored.span for scored in recognition.entities}
    missed = (scored for span, scored in recognised.gold[index].items() if span not in predicted)
    return tuple(
        scored for scored in (*recognition.entities, *missed) if scored.uncertainty > detector.threshold
    )


def pooled(parts: Sequence[Linked]) -> Linked:
    """The results on several data sets as one."""
    return Linked(
        entities=tuple(entities for part in parts for entities in part.entities),
        posts_asked=sum(part.posts_asked for part in parts),
        candidates=sum(part.candidates for part in parts),
        unanswered=sum(part.unanswered for part in parts),
        spent=sum((part.spent for part in parts), NOTHING),
    )


def _link(recognition: Recognition, chosen: Sequence[ScoredSpan], verdict: Verdict) -> tuple[Entity, ...]:
    """As the stream links: of the plausible spans those that were asked about."""
    predicted = {scored.span for scored in recognition.entities}
    return link(
        entities=recognition.entities,
        plausible=[scored for scored in chosen if scored.span not in predicted],
        answers=verdict.labels,
        unanswered={scored.span: NO_ANSWER for scored in chosen if scored.span not in verdict.labels},
        proposals=verdict.proposals,
    )
