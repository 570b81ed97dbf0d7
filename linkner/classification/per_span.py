"""The question about one span, in the form of the paper's Table 5."""

from __future__ import annotations

from collections.abc import Sequence

from linkner.classification.examples import Example, nearest
from linkner.classification.prompt import NON_ENTITY, Prompt, quoted, surface, version_of
from linkner.classification.template import OF_THE_PAPER, Template
from linkner.errors import InputError
from linkner.labels import LabelSet
from linkner.spans import OUTSIDE, Span

_FORM = "per-span-1"
_MAX_TOKENS = 16  # a label takes four at most; the rest is for a reply that is not bare


def ask_about(
    text: str,
    span: Span,
    label_set: LabelSet,
    *,
    examples: Sequence[Example] = (),
    pool: Sequence[Example] = (),
    described: bool = True,
    template: Template = OF_THE_PAPER,
) -> Prompt:
    """The question which of the labels the span of the text has.

    `examples` are shown with every question, and of `pool` the one of each label that is nearest to the text.
    `system` does not depend on the text, so that a provider's prompt cache can serve it: the nearest examples
    stand before the question.

    Raises:
        InputError: the span ends after the text, or an example's label is not in the set.
    """
    system = template.constant(
        descriptions=f"Entity types:\n{label_set.guideline}" if described else "",
        examples=_shots(examples, label_set, template),
    )
    shots = _shots(nearest(pool, text, labels=label_set.classes), label_set, template)
    asked = _question(text, span, label_set, template)
    return Prompt(
        system=system,
        user=f"{shots}\n\n{asked}" if shots else asked,
        max_tokens=_MAX_TOKENS,
        version=version_of(_FORM, label_set.name, system, template.question, *map(repr, pool)),
    )


def _shots(examples: Sequence[Example], label_set: LabelSet, template: Template) -> str:
    return "\n\n".join(
        f"Example {number}:\n{_question(example.text, example.span, label_set, template)}\n"
        f"Answer: {_option(example.label, label_set)}"
        for number, example in enumerate(examples, start=1)
    )


def _question(text: str, span: Span, label_set: LabelSet, template: Template) -> str:
    options = "; ".join((*label_set.labels, NON_ENTITY))
    return template.ask(context=quoted(text), span=surface(text, span), options=options)


def _option(label: str, label_set: LabelSet) -> str:
    if label not in label_set.classes:
        raise InputError(
            "an example's label is not in the label set",
            expected=f"one of {', '.join(label_set.classes)}",
            got=repr(label),
        )
    return NON_ENTITY if label == OUTSIDE else label
