"""Judges: who answers the questions of an evaluation, and the one that replays recorded replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from operator import add
from typing import Protocol

from linkner.classification import NON_ENTITY, Example, Prompt, ask_about
from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.labels import LabelSet
from linkner.pricing import tokens_of
from linkner.replies import RecordedReply
from linkner.spans import OUTSIDE, Span


@dataclass(frozen=True, slots=True)
class Asked:
    """The candidates of one sentence, in the order in which they are asked about. Spans count words."""

    index: int
    sentence: Sentence
    candidates: tuple[Span, ...]

    def prompts(self, label_set: LabelSet, *, examples: Sequence[Example] = ()) -> list[Prompt]:
        """The question about each candidate, in order; the sentence is shown as a post."""
        text = self.sentence.text
        return [
            ask_about(text, self.sentence.to_text(span), label_set, examples=examples)
            for span in self.candidates
        ]


@dataclass(frozen=True, slots=True)
class Spent:
    """What answers took: LLM calls, how many of them were replayed, and tokens."""

    questions: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*map(add, astuple(self), astuple(other)))

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


NOTHING = Spent()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one sentence, and what it took.

    `labels` has `OUTSIDE` for Non-entity; a candidate that is missing there got no answer.
    """

    labels: Mapping[Span, str]
    spent: Spent


class Judge(Protocol):
    """Answers questions: an LLM, or one that is replayed."""

    @property
    def name(self) -> str:
        """The LLM's name, or `replay`."""

    @property
    def token_count(self) -> str:
        """How the tokens of its verdicts were counted, for people."""

    def classify(self, asked: Sequence[Asked]) -> Sequence[Verdict]:
        """One verdict for each, in order."""


@dataclass(frozen=True, slots=True)
class ReplayJudge:
    """Replays recorded replies, one for each sentence. The prompts are rendered to count their tokens.

    Raises:
        InputError: a reply has a label that is not in the label set.
    """

    replies: Sequence[RecordedReply]
    label_set: LabelSet
    _said: dict[tuple[int, tuple[Span, ...]], Verdict] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    name = "replay"
    token_count = "estimated: one token for every four characters"

    def __post_init__(self) -> None:
        unknown = {label for reply in self.replies for label in reply.labels}.difference(
            self.label_set.labels
        )
        if unknown:
            raise InputError(
                "the replies have labels that the label set lacks",
                expected=f"labels of {self.label_set.name}: {', '.join(self.label_set.labels)}",
                got=", ".join(sorted(unknown)),
                hint="name the label set that they were recorded with (--label-set)",
            )

    def classify(self, asked: Sequence[Asked]) -> list[Verdict]:
        """See `Judge`. The same candidates of a sentence are looked up only once."""
        return [self._verdict(one) for one in asked]

    def _verdict(self, asked: Asked) -> Verdict:
        key = (asked.index, asked.candidates)
        if key not in self._said:
            self._said[key] = self._replay(asked)
        return self._said[key]

    def _replay(self, asked: Asked) -> Verdict:
        labels = {span: self.replies[asked.index].label_of(span) for span in asked.candidates}
        prompts = asked.prompts(self.label_set)
        said = (NON_ENTITY if label == OUTSIDE else label for label in labels.values())
        spent = Spent(
            questions=len(prompts),
            replayed=len(prompts),
            prompt_tokens=sum(tokens_of(len(prompt.system) + len(prompt.user)) for prompt in prompts),
            completion_tokens=sum(tokens_of(len(label)) for label in said),
        )
        return Verdict(labels, spent)
