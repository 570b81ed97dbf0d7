"""The three forms through one door: what is asked about a post, and what is read from the replies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkner.classification import FORMS, Example, Form, FormName, Reading, Template, ask, ask_at_once, read
from linkner.classification.form import MAX_PACKED
from linkner.errors import ConfigurationError
from linkner.labels import label_set
from linkner.spans import OUTSIDE, LabelledSpan, Span

WNUT17 = label_set("wnut17")
POST = "Zork play the Oslo Opera tonight"
ZORK, OSLO, OPERA = Span(0, 4), Span(14, 18), Span(14, 24)


def _form(name: FormName) -> Form:
    return Form(name=name)


def test_per_span_asks_once_for_each_candidate_and_the_others_once_for_all() -> None:
    counts = {name: len(ask(POST, [OSLO, ZORK], form=_form(name), label_set=WNUT17)) for name in FORMS}
    assert counts == {"per-span": 2, "packed": 1, "propose": 1}
    assert all(ask(POST, [], form=_form(name), label_set=WNUT17) == () for name in FORMS)


def test_a_packed_question_has_its_candidates_in_text_order() -> None:
    (question,) = ask(POST, [OPERA, OSLO, ZORK], form=_form("packed"), label_set=WNUT17)
    assert question.candidates == (ZORK, OSLO, OPERA)


def test_more_candidates_than_fit_make_another_question() -> None:
    spans = [Span(place, place + 1) for place in range(MAX_PACKED + 1)]
    first, second = ask("x" * 40, spans, form=_form("packed"), label_set=WNUT17)
    assert (first.candidates, second.candidates) == (tuple(spans[:-1]), tuple(spans[-1:]))


def test_several_candidates_at_once_are_packed_whatever_the_form() -> None:
    at_once = ask_at_once(POST, [OSLO, ZORK], form=_form("per-span"), label_set=WNUT17)
    assert (at_once,) == ask(POST, [OSLO, ZORK], form=_form("packed"), label_set=WNUT17)


@pytest.mark.parametrize("name", FORMS)
def test_a_reply_is_read_in_the_form_that_was_asked(name: FormName) -> None:
    questions = ask(POST, [ZORK, OSLO], form=_form(name), label_set=WNUT17)
    replies = (
        ["group", "Non-entity"]
        if name == "per-span"
        else ['{"1": "group", "2": "Non-entity", "more": [{"text": "Oslo Opera", "type": "location"}]}']
    )
    readings = [read(reply, one, WNUT17) for reply, one in zip(replies, questions, strict=True)]
    assert {span: label for one in readings for span, label in one.labels.items()} == {
        ZORK: "group",
        OSLO: OUTSIDE,
    }
    proposals = [added for one in readings for added in one.proposals]
    assert proposals == ([LabelledSpan(OPERA, "location")] if name == "propose" else [])


@pytest.mark.parametrize("name", FORMS)
def test_a_reply_without_a_label_reads_as_nothing(name: FormName) -> None:
    for question in ask(POST, [ZORK, OSLO], form=_form(name), label_set=WNUT17):
        assert read("I cannot tell.", question, WNUT17) == Reading({})


_POOL = (
    Example("Ada moved to Oslo", Span(0, 3), "person"),
    Example("the Oslo Opera plays Zork", Span(4, 14), "location"),
    Example("we love Zork tonight", Span(8, 12), "group"),
    Example("Ada at the opera tonight", Span(0, 3), "person"),
    Example(POST, ZORK, "group"),
)


def test_the_nearest_examples_stand_before_the_question_and_the_constant_part_is_the_same() -> None:
    form = Form(pool=_POOL)
    near, far = (ask_at_once(text, [Span(0, 3)], form=form, label_set=WNUT17) for text in (POST, "Ada moved"))
    assert [one.text in near.prompt.user for one in _POOL] == [False, True, True, True, True]
    assert near.prompt.user.count("Example") == 3
    assert "Ada moved to Oslo" in far.prompt.user
    assert near.prompt.system == far.prompt.system
    assert near.prompt.version == far.prompt.version
    other = ask_at_once(POST, [ZORK], form=Form(pool=_POOL[:2]), label_set=WNUT17)
    assert other.prompt.version != near.prompt.version


def test_descriptions_can_be_left_out_of_every_form() -> None:
    for name in FORMS:
        bare = replace(_form(name), described=False)
        for question in ask(POST, [ZORK], form=bare, label_set=WNUT17):
            assert WNUT17.guideline not in question.prompt.system


@pytest.mark.parametrize("name", ["packed", "propose"])
def test_examples_and_templates_are_for_the_question_about_one_span(name: FormName) -> None:
    for extra in (
        {"examples": _POOL},
        {"pool": _POOL},
        {"template": Template("a", "$context $span $options")},
    ):
        with pytest.raises(ConfigurationError, match="takes neither examples nor a template"):
            Form(name=name, **extra)  # type: ignore[arg-type]
