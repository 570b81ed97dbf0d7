"""The forms of question: how the candidates of a post are put to the LLM, and how a reply is read.

- `per-span`: a question about each candidate, in the form of the paper's Table 5;
- `packed`: one question about all candidates;
- `propose`: the same, and the LLM may add entities that are none of them.

The stream and the evaluation both ask by `ask` (or `ask_at_once`) and read by `read`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from linkner.classification.answers import parse_answer
from linkner.classification.examples import Example
from linkner.classification.packed import MORE, ask_packed
from linkner.classification.packed_answers import parse_packed
from linkner.classification.per_span import ask_about
from linkner.classification.prompt import Prompt
from linkner.classification.proposals import find_proposals
from linkner.classification.template import OF_THE_PAPER, Template
from linkner.errors import ConfigurationError
from linkner.labels import LabelSet
from linkner.spans import LabelledSpan, Span

FormName = Literal["per-span", "packed", "propose"]
FORMS: tuple[FormName, ...] = get_args(FormName)

MAX_PACKED = 16
"""Most candidates of one question; more of them make another question."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of question and what it shows: descriptions of the labels, and, per span, few-shot examples.

    `examples` are shown with every question; of `pool` those nearest to the post are.

    Raises:
        ConfigurationError: examples or a template are given to a form that has none.
    """

    name: FormName = "per-span"
    described: bool = True
    examples: tuple[Example, ...] = ()
    pool: tuple[Example, ...] = ()
    template: Template = OF_THE_PAPER

    def __post_init__(self) -> None:
        if self.name != "per-span" and (self.examples or self.pool or self.template != OF_THE_PAPER):
            raise ConfigurationError(
                f"the question form {self.name} takes neither examples nor a template",
                hint="take the form per-span",
            )

    @property
    def proposes(self) -> bool:
        """Whether the LLM may add entities that are no candidates."""
        return self.name == "propose"

    def grouped(self, candidates: Sequence[_T]) -> tuple[tuple[_T, ...], ...]:
        """The candidates of each question, in order."""
        size = 1 if self.name == "per-span" else MAX_PACKED
        return tuple(tuple(candidates[i : i + size]) for i in range(0, len(candidates), size))


@dataclass(frozen=True, slots=True)
class Question:
    """One LLM call: its prompt, and the candidates of the text that it asks about, in text order."""

    prompt: Prompt
    text: str
    candidates: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says: a label (`OUTSIDE` for Non-entity) for each candidate that it is clear about.

    `proposals` are the entities that it adds: no candidates, without overlap, in text order.
    """

    labels: Mapping[Span, str]
    proposals: tuple[LabelledSpan, ...] = ()


def ask(text: str, candidates: Sequence[Span], *, form: Form, label_set: LabelSet) -> tuple[Question, ...]:
    """The questions about all candidates of a text, in the form's groups.

    Raises:
        InputError: a candidate ends after the text.
    """
    return tuple(
        ask_at_once(text, group, form=form, label_set=label_set) for group in form.grouped(candidates)
    )


def ask_at_once(text: str, candidates: Sequence[Span], *, form: Form, label_set: LabelSet) -> Question:
    """One question about these candidates: several make a packed one whatever the form.

    Raises:
        InputError: a candidate ends after the text.
    """
    asked = tuple(sorted(candidates))
    if form.name == "per-span" and len(asked) == 1:
        prompt = ask_about(
            text,
            asked[0],
            label_set,
            examples=form.examples,
            pool=form.pool,
            described=form.described,
            template=form.template,
        )
    else:
        prompt = ask_packed(text, asked, label_set, propose=form.proposes, described=form.described)
    return Question(prompt, text, asked)


def read(reply: str, question: Question, label_set: LabelSet) -> Reading:
    """The labels and the proposals in the reply to a question."""
    if question.prompt.schema is None:
        (candidate,) = question.candidates
        label = parse_answer(reply, label_set)
        return Reading({} if label is None else {candidate: label})
    surfaces = [span.of(question.text) for span in question.candidates]
    said = parse_packed(reply, surfaces, label_set)
    labels = {question.candidates[place]: label for place, label in said.labels.items()}
    added = said.added if MORE in question.prompt.schema["properties"] else ()
    return Reading(labels, find_proposals(added, question.text, candidates=question.candidates))
