"""The question about all candidates of a post, without and with room for what the LLM adds."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator, ValidationError

from linkner.classification import NON_ENTITY
from linkner.classification.packed import MORE, ask_packed
from linkner.errors import InputError
from linkner.labels import LABEL_SETS, LabelSet, label_set
from linkner.spans import Span

WNUT17 = label_set("wnut17")
POST = "Zork play Oslo, then Oslo Opera"
ZORK, OSLO, OPERA = Span(0, 4), Span(21, 25), Span(21, 31)


def test_a_question_numbers_its_candidates() -> None:
    prompt = ask_packed(POST, [ZORK, OSLO, OPERA], WNUT17)
    assert prompt.user == (
        '<Context>: "Zork play Oslo, then Oslo Opera"\n<1>: "Zork"\n<2>: "Oslo" (2 of 2)\n<3>: "Oslo Opera"'
    )
    assert WNUT17.guideline in prompt.system


def test_proposing_adds_one_line_and_one_key() -> None:
    asked, proposing = (ask_packed(POST, [ZORK], WNUT17, propose=propose) for propose in (False, True))
    assert proposing.user == f"{asked.user}\n<more>: any other names"
    assert proposing.max_tokens > asked.max_tokens
    assert proposing.schema is not None
    assert asked.schema is not None
    assert set(proposing.schema["properties"]) - set(asked.schema["properties"]) == {MORE}


@pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=LABEL_SETS)
def test_the_schema_takes_every_label_and_nothing_else(labels: LabelSet) -> None:
    schema = ask_packed(POST, [ZORK, OSLO], labels, propose=True).schema
    assert schema is not None
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)
    added = [{"text": "Ada", "type": label} for label in labels.labels]
    for label in (*labels.labels, NON_ENTITY):
        check.validate({"1": label, "2": label, MORE: added})
    good = {"1": labels.labels[0], "2": NON_ENTITY, MORE: []}
    for bad in (
        {"1": "animal"},
        {"2": None},
        {"3": NON_ENTITY},
        {MORE: ["Ada"]},
        {MORE: [{"text": "Ada", "type": NON_ENTITY}]},
        {MORE: [{"text": "Ada"}]},
    ):
        with pytest.raises(ValidationError):
            check.validate(good | bad)
    for key in good:
        with pytest.raises(ValidationError):
            check.validate({other: value for other, value in good.items() if other != key})


def test_the_constant_part_depends_on_neither_post_nor_candidates() -> None:
    prompts = [ask_packed(text, [Span(0, 1)] * n, WNUT17) for text in ("a", "bc") for n in (1, 3)]
    assert len({(prompt.system, prompt.version) for prompt in prompts}) == 1
    assert prompts[0].schema == prompts[2].schema


def test_the_version_names_form_labels_and_descriptions() -> None:
    versions = {
        ask_packed("a", [Span(0, 1)], labels, propose=propose, described=described).version
        for labels in (WNUT17, label_set("btc"), label_set("wnut17", descriptions="Persons are people."))
        for propose in (False, True)
        for described in (False, True)
    }
    assert len(versions) == 10  # without descriptions, those of the two wnut17 sets are equal
    assert {version.partition(":")[0] for version in versions} == {"packed-1", "propose-1"}


def test_descriptions_can_be_left_out() -> None:
    bare = ask_packed(POST, [ZORK], WNUT17, described=False)
    assert ", ".join(WNUT17.labels) in bare.system
    assert not any(text in bare.system for text in WNUT17.descriptions.values())


def test_the_example_in_the_prompt_has_the_schema_s_form() -> None:
    prompt = ask_packed(POST, [ZORK, OSLO], WNUT17, propose=True)
    (line,) = [line for line in prompt.system.splitlines() if '"1": ' in line]
    assert prompt.schema is not None
    Draft202012Validator(prompt.schema).validate(json.loads(line[line.index("{") :]))


def test_a_span_beyond_its_text_is_refused() -> None:
    with pytest.raises(InputError, match="an end of at most 4; got 5"):
        ask_packed("Oslo", [Span(0, 5)], WNUT17)
