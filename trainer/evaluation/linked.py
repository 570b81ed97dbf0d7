"""The local model linked to an LLM: recognition, detection, classification, as the stream does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from linkner.classification import Example, Prompt, ask_about
from linkner.conll import Sentence
from linkner.detection import Detector
from linkner.labels import LabelSet
from linkner.linking import link
from linkner.replies import RecordedReply
from linkner.scoring import Scores, score
from linkner.spans import Entity, LabelledSpan, Recognition, ScoredSpan, Span
from trainer.evaluation.local import Recognised

ProtocolName = Literal["deployed", "paper"]
"""`deployed`: candidates are what the local model alone makes of a post. `paper`: as the paper evaluates,
uncertain predicted entities, and gold entities that the model labelled O and is uncertain of. That puts gold
boundaries before the LLM, which no stream can: it is for comparison with the paper's tables only."""

PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)

CHARS_PER_TOKEN = 4
"""What a replay, which has no tokeniser of the LLM's, counts as a token."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of the candidates of one document; one that `labels` lacks has no answer.

    `replayed` is true where an answer was recorded earlier.
    """

    labels: Mapping[Span, str]
    questions: int
    prompt_tokens: int
    completion_tokens: int
    replayed: bool


class Judge(Protocol):
    """Answers questions about the candidates of a document; `name` is the LLM's, or `replay`."""

    @property
    def name(self) -> str: ...

    def classify(self, documents: Mapping[int, Asked]) -> Mapping[int, Verdict]:
        """One verdict for each document, by its index."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A sentence and its candidates, in word offsets."""

    sentence: Sentence
    candidates: tuple[Span, ...]

    def prompts(self, label_set: LabelSet, *, examples: Sequence[Example] = ()) -> list[Prompt]:
        """The question about each candidate, in order."""
        text = self.sentence.text
        return [
            ask_about(text, self.sentence.to_text(span), label_set, examples=examples)
            for span in self.candidates
        ]


@dataclass(frozen=True, slots=True)
class ReplayJudge:
    """Replays recorded replies, one for each sentence. Token counts are estimates: see CHARS_PER_TOKEN."""

    replies: Sequence[RecordedReply]
    label_set: LabelSet

    name = "replay"

    def classify(self, documents: Mapping[int, Asked]) -> Mapping[int, Verdict]:
        """See `Judge`."""
        return {index: self._verdict(self.replies[index], asked) for index, asked in documents.items()}

    def _verdict(self, reply: RecordedReply, asked: Asked) -> Verdict:
        labels = {span: reply.label_of(span) for span in asked.candidates}
        prompts = asked.prompts(self.label_set)
        return Verdict(
            labels=labels,
            questions=len(prompts),
            prompt_tokens=sum(_tokens(prompt.system + prompt.user) for prompt in prompts),
            completion_tokens=sum(map(_tokens, labels.values())),
            replayed=True,
        )


@dataclass(frozen=True, slots=True)
class Linked:
    """The entities of every sentence after linking, and what the LLM was asked for them.

    `replayed` is true where any of its answers was recorded earlier.
    """

    entities: Sequence[tuple[Entity, ...]]
    posts_asked: int = 0
    candidates: int = 0
    questions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    replayed: bool = False

    def scores(self, sentences: Sequence[Sentence]) -> Scores:
        """Entity-level scores against the gold of the sentences."""
        return score(
            [sentence.entities for sentence in sentences],
            [[LabelledSpan(one.span, one.label) for one in entities] for entities in self.entities],
        )

    @property
    def llm_share(self) -> float:
        """The share of the final entities whose label the LLM decided."""
        decided = [entity.decided_by == "llm" for entities in self.entities for entity in entities]
        return sum(decided) / len(decided) if decided else 0.0


def candidates_of(
    sentence: Sentence, recognition: Recognition, *, detector: Detector, protocol: ProtocolName
) -> tuple[ScoredSpan, ...]:
    """What is asked about in one sentence under the protocol."""
    if protocol == "deployed":
        return detector.candidates(recognition)
    gold = {entity.span for entity in sentence.entities}
    doubtful = (scored for scored in recognition.entities if scored.uncertainty > detector.threshold)
    missed = (
        scored
        for scored in recognition.plausible
        if scored.span in gold and scored.uncertainty > detector.threshold
    )
    return (*doubtful, *missed)


def unlinked(recognised: Recognised) -> Linked:
    """The local model's entities, as they stand without an LLM."""
    return Linked([_link(recognition, (), {}) for recognition in recognised.recognitions])


def link_all(recognised: Recognised, *, detector: Detector, judge: Judge, protocol: ProtocolName) -> Linked:
    """Detect the candidates of every sentence, have them judged, and link the verdicts."""
    found = [
        candidates_of(sentence, recognition, detector=detector, protocol=protocol)
        for sentence, recognition in recognised
    ]
    asked = {
        index: Asked(sentence, tuple(scored.span for scored in candidates))
        for index, (sentence, candidates) in enumerate(zip(recognised.sentences, found, strict=True))
        if candidates
    }
    verdicts = judge.classify(asked)
    entities = [
        _link(recognition, candidates, verdicts[index].labels if index in verdicts else {})
        for index, (recognition, candidates) in enumerate(zip(recognised.recognitions, found, strict=True))
    ]
    return Linked(
        entities=entities,
        posts_asked=len(asked),
        candidates=sum(map(len, found)),
        questions=sum(verdict.questions for verdict in verdicts.values()),
        prompt_tokens=sum(verdict.prompt_tokens for verdict in verdicts.values()),
        completion_tokens=sum(verdict.completion_tokens for verdict in verdicts.values()),
        replayed=any(verdict.replayed for verdict in verdicts.values()),
    )


def _link(
    recognition: Recognition, candidates: Sequence[ScoredSpan], labels: Mapping[Span, str]
) -> tuple[Entity, ...]:
    predicted = {scored.span for scored in recognition.entities}
    return link(
        entities=recognition.entities,
        plausible=[scored for scored in candidates if scored.span not in predicted],
        answers=labels,
        unanswered={one.span: "no-answer" for one in candidates if one.span not in labels},
    )


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)
