"""A replayed answer says what was recorded: whatever the form, it reads back as that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.classification import FORMS, Form, FormName, ask, read
from linkner.labels import label_set
from linkner.replaying import answer_to
from linkner.spans import OUTSIDE, LabelledSpan, Span

WNUT = label_set("wnut17")
TEXT = "Mira Okafor sings in Lagos with the Lagos Larks"
PLACES = (Span(0, 11), Span(5, 11), Span(21, 26), Span(36, 41), Span(36, 47))

labels = st.fixed_dictionaries({place: st.sampled_from(WNUT.classes) for place in PLACES})


@pytest.mark.parametrize("form", FORMS)
@given(said=labels, places=st.sets(st.sampled_from(PLACES), min_size=1))
def test_every_label_reads_back(form: FormName, said: dict[Span, str], places: set[Span]) -> None:
    found: dict[Span, str] = {}
    for question in ask(TEXT, sorted(places), form=Form(name=form), label_set=WNUT):
        answer = answer_to(question, label_of=lambda span: said[span], entities=())
        found |= read(answer, question, WNUT).labels
    assert found == {place: said[place] for place in places}


def test_added_names_are_the_recorded_entities_that_are_no_candidates() -> None:
    entities = (LabelledSpan(Span(0, 11), "person"), LabelledSpan(Span(36, 47), "group"))
    for form, added in (("propose", entities[1:]), ("packed", ())):
        (question,) = ask(TEXT, PLACES[:1], form=Form(name=form), label_set=WNUT)  # type: ignore[arg-type]
        answer = answer_to(question, label_of=lambda _: OUTSIDE, entities=entities)
        assert read(answer, question, WNUT).proposals == added
