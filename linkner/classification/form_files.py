"""A form of question whose template and few-shot examples come from files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from linkner import conll
from linkner.classification.few_shot import draw_examples, every_example
from linkner.classification.form import Form, FormName
from linkner.classification.template import OF_THE_PAPER, Template
from linkner.errors import ConfigurationError
from linkner.labels import LabelSet

ExamplesBy = Literal["random", "overlap"]
"""How the one example of each label is chosen: at random for all posts, or by the words shared with each."""


def read_form(
    name: FormName,
    *,
    label_set: LabelSet,
    described: bool = True,
    template: str | Path = "",
    examples: str | Path = "",
    by: ExamplesBy = "random",
    seed: int = 0,
) -> Form:
    """The form; `template` is a file as in `linkner.classification.template`, `examples` a CoNLL file.

    Raises:
        ConfigurationError: a file cannot be read as a template, the examples have labels that the set lacks,
            or the form takes no such thing.
        InputError: the examples cannot be read, or hold no entity.
    """
    sentences = conll.read(examples) if examples else []
    unknown = {entity.label for one in sentences for entity in one.entities}.difference(label_set.labels)
    if unknown:
        raise ConfigurationError(
            f"the examples in {examples} have labels that the label set {label_set.name} lacks",
            expected=", ".join(label_set.labels),
            got=", ".join(sorted(unknown)),
        )
    drawn = draw_examples(sentences, label_set.labels, seed=seed) if examples and by == "random" else ()
    return Form(
        name=name,
        described=described,
        examples=drawn,
        pool=every_example(sentences) if by == "overlap" else (),
        template=Template.read(template) if template else OF_THE_PAPER,
    )
