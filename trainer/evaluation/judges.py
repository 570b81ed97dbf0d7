"""Judges: who answers the questions of an evaluation, and the one that replays recorded replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from operator import add
from typing import Protocol

from linkner.classification import Form, Question, Reading, ask, read
from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.labels import LabelSet
from linkner.pricing import tokens_of
from linkner.replaying import answer_to
from linkner.replies import RecordedReply
from linkner.spans import LabelledSpan, Span


@dataclass(frozen=True, slots=True)
class Asked:
    """The candidates of one sentence, in the order in which they are asked about. Spans count words."""

    index: int
    sentence: Sentence
    candidates: tuple[Span, ...]

    def questions(self, form: Form, label_set: LabelSet) -> tuple[Question, ...]:
        """The questions about them; the sentence is shown as a post, whose spans count code points."""
        places = [self.sentence.to_text(span) for span in self.candidates]
        return ask(self.sentence.text, places, form=form, label_set=label_set)

    def in_words(self, reading: Reading) -> Reading:
        """What a reply to a question says, in words; what it adds counts for each word that it touches."""
        return Reading(
            labels={self.sentence.to_words(span): label for span, label in reading.labels.items()},
            proposals=tuple(
                LabelledSpan(self.sentence.to_words(added.span), added.label) for added in reading.proposals
            ),
        )


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
    """What a judge said of one sentence, and what it took. Spans count words.

    `labels` has `OUTSIDE` for Non-entity; a candidate that is missing there got no answer. `proposals` are
    entities that the judge added.
    """

    labels: Mapping[Span, str]
    spent: Spent
    proposals: tuple[LabelledSpan, ...] = ()


Replies = Callable[[Question], Iterable[tuple[str, Spent]]]
"""Replies to a question, one after the other, and what each of them took."""


def verdict_on(asked: Asked, *, form: Form, label_set: LabelSet, replies: Replies) -> Verdict:
    """Put the candidates as questions of the form, and read the replies.

    Of the replies to one question the next is taken only where a candidate has no label yet, and then counts
    alone, as it does in a stream.
    """
    labels: dict[Span, str] = {}
    added: list[LabelledSpan] = []
    spent = NOTHING
    for question in asked.questions(form, label_set):
        said = Reading(labels={})
        for text, cost in replies(question):
            said = asked.in_words(read(text, question, label_set))
            spent += cost
            if all(asked.sentence.to_words(span) in said.labels for span in question.candidates):
                break
        labels |= said.labels
        added += said.proposals
    return Verdict(labels, spent, tuple(dict.fromkeys(added)))


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
    """Replays recorded replies, one for each sentence, as an LLM's that is asked in this form.

    Its questions are rendered and its answers read as a live LLM's are.

    Raises:
        InputError: a reply has a label that is not in the label set.
    """

    replies: Sequence[RecordedReply]
    label_set: LabelSet
    form: Form = field(default_factory=Form)
    _said: dict[tuple[int, tuple[Span, ...]], Verdict] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    name = "replay"
    token_count = "estimated: one token for every four characters of the messages"

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
        sentence, recorded = asked.sentence, self.replies[asked.index]
        named = [LabelledSpan(sentence.to_text(one.span), one.label) for one in recorded.entities]

        def replies(question: Question) -> Iterator[tuple[str, Spent]]:
            prompt = question.prompt
            said = answer_to(
                question, label_of=lambda span: recorded.label_of(sentence.to_words(span)), entities=named
            )
            yield said, Spent(1, 1, tokens_of(len(prompt.system) + len(prompt.user)), tokens_of(len(said)))

        return verdict_on(asked, form=self.form, label_set=self.label_set, replies=replies)
