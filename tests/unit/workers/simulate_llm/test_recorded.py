"""Recorded replies: reading the files, reading the question, and the rule that answers it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.classification import FORMS, NON_ENTITY, Example, Form, FormName, ask_about, ask_at_once
from linkner.classification.packed import ask_packed
from linkner.errors import FileFormatError, InputError
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from linkner.text import occurrences
from workers.simulate_llm.recorded import PackedQuestion, RecordedReplies, SpanQuestion

POST = "Mira Okafor sings in Lagos. Lagos loves the New Lagos Singers"
REPLIES = RecordedReplies(
    {
        POST: (
            LabelledSpan(Span(0, 11), "person"),
            LabelledSpan(Span(21, 26), "location"),
            LabelledSpan(Span(44, 61), "group"),
        )
    }
)
WNUT = label_set("wnut17")


def test_the_file_s_post_is_as_the_spans_say() -> None:
    assert [one.span.of(POST) for one in REPLIES.entities[POST]] == [
        "Mira Okafor",
        "Lagos",
        "New Lagos Singers",
    ]


@pytest.mark.parametrize(
    ("surface", "answer"),
    [
        ("Mira Okafor", "person"),
        ("Lagos", "location"),  # equal at one place, inside a longer entity at another
        ("New Lagos Singers", "group"),
        ("the New Lagos Singers", "group"),  # 17 of 21 code points shared
        ("Mira", NON_ENTITY),  # 4 of 11
        ("sings", NON_ENTITY),
        ("not in the post", NON_ENTITY),
    ],
)
def test_an_equal_entity_answers_before_one_that_overlaps_enough(surface: str, answer: str) -> None:
    assert REPLIES.answer(SpanQuestion(text=POST, surface=surface)) == answer


def test_half_of_the_union_is_enough_and_less_is_not() -> None:
    replies = RecordedReplies({"abcdefgh": (LabelledSpan(Span(0, 4), "product"),)})
    assert replies.answer(SpanQuestion(text="abcdefgh", surface="ab")) == "product"
    assert replies.answer(SpanQuestion(text="abcdefgh", surface="abcdefgh")) == "product"
    assert replies.answer(SpanQuestion(text="abcdefgh", surface="a")) == NON_ENTITY


def test_the_best_overlap_wins_over_an_earlier_one() -> None:
    entities = (LabelledSpan(Span(0, 4), "product"), LabelledSpan(Span(2, 6), "group"))
    replies = RecordedReplies({"abcdefgh": entities})
    assert replies.answer(SpanQuestion(text="abcdefgh", surface="cdefg")) == "group"


def test_a_post_without_a_reply_has_no_answer() -> None:
    assert REPLIES.answer(SpanQuestion(text=POST + " ", surface="Lagos")) is None


def _asked(name: FormName, *places: Span, text: str = POST, form: Form | None = None) -> str:
    return ask_at_once(text, places, form=form or Form(name=name), label_set=WNUT).prompt.user


def test_a_packed_question_is_answered_for_each_candidate_at_its_place() -> None:
    reply = REPLIES.reply(_asked("packed", Span(21, 26), Span(0, 11), Span(48, 53)))
    assert reply == '{"1": "person", "2": "location", "3": "Non-entity"}'  # the last is part of a group


def test_what_no_candidate_covers_is_proposed_where_it_is_asked_for() -> None:
    reply = REPLIES.reply(_asked("propose", Span(0, 11)))
    assert reply is not None
    assert json.loads(reply) == {
        "1": "person",
        "more": [
            {"text": "Lagos", "type": "location"},
            {"text": "New Lagos Singers", "type": "group"},
        ],
    }


def test_any_form_of_a_post_without_a_reply_has_no_answer() -> None:
    for name in FORMS:
        assert REPLIES.reply(_asked(name, Span(0, 4), text="Lagos again")) is None


def test_examples_before_the_question_are_passed_over() -> None:
    shots = (Example(f"{POST}!", Span(0, 11), "person"), Example("<Context>: so", Span(11, 13), "group"))
    message = _asked("per-span", Span(21, 26), form=Form(pool=shots))
    assert message.count("<Context>") == 4
    assert REPLIES.reply(message) == "location"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "<Context>: ",
        '<Context>: "a"',
        '<Context>: "a"\n<1>: "b"',
        '<Context>: "a"\n<1>: "a" (2 of 2)',
        '<Context>: "a"\n<1>: "a" (0 of 1)',
        '<Context>: "a"\n<1>: a',
        'x <Context>: "a"\n<1>: "a"',
    ],
)
def test_what_is_no_question_is_refused(message: str) -> None:
    with pytest.raises(InputError):
        REPLIES.reply(message)


@given(text=st.text(min_size=1), data=st.data())
def test_every_packed_question_is_read_back(text: str, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=3))
    spans = {Span(start, data.draw(st.integers(start + 1, len(text)))) for start in starts}
    proposes = data.draw(st.booleans())
    message = ask_packed(text, sorted(spans), WNUT, propose=proposes).user
    assert PackedQuestion.read(message) == PackedQuestion(text, tuple(sorted(spans)), proposes)


@given(text=st.text(min_size=1), data=st.data())
def test_every_question_that_is_asked_is_read_back(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(text))))
    question = SpanQuestion.read(ask_about(text, span, WNUT).user)
    assert question == SpanQuestion(text=text, surface=span.of(text))
    assert span in occurrences(question.text, question.surface)


def test_a_post_that_imitates_a_question_is_still_only_a_context() -> None:
    text = 'x"\nSelect the entity type of "y" in this context\n<Context>: "z" Paris'
    question = SpanQuestion.read(ask_about(text, Span(len(text) - 5, len(text)), WNUT).user)
    assert question == SpanQuestion(text=text, surface="Paris")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Hello there",
        '<Context>: "a post"',
        "<Context>: 7\nSelect the entity type of 8",
        '<Context>: "cut off',
        '<Context>: "a"\nSelect the entity type of ""',
        "<Context>: " + "[" * 100_000,
    ],
)
def test_any_other_message_is_refused(message: str) -> None:
    with pytest.raises(InputError, match="question"):
        SpanQuestion.read(message)


def write(path: Path, *records: object) -> Path:
    text = "\n".join(json.dumps(record) for record in records) + "\n\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(("suffix", "key"), [("jsonl", "id"), ("jsonl.gz", "external_id")])
def test_both_files_are_read_plain_and_gzipped(tmp_path: Path, suffix: str, key: str) -> None:
    entity = {"start": 0, "end": 5, "text": "Lagos", "type": "location"}
    posts = write(
        tmp_path / f"posts.{suffix}",
        {key: "1", "text": "Lagos!", "source": "x"},
        {key: "2", "text": "No reply"},
        {key: "3", "text": "Lagos!"},
    )
    replies = write(tmp_path / f"replies.{suffix}", {"id": "1", "entities": [entity]})
    loaded = RecordedReplies.load(posts=posts, replies=replies)
    assert loaded.entities == {"Lagos!": (LabelledSpan(Span(0, 5), "location"),)}


@pytest.mark.parametrize(
    "reply",
    [
        {"id": "unknown", "entities": []},
        {"id": "1", "entities": [{"start": 0, "end": 4, "text": "Lagos", "type": "location"}]},
        {"id": "1", "entities": [{"start": 0, "end": 5, "text": "Lagos"}]},
        {"id": "1"},
        [],
    ],
)
def test_a_reply_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, reply: object) -> None:
    posts = write(tmp_path / "posts.jsonl", {"id": "0", "text": "x"}, {"id": "1", "text": "Lagos!"})
    replies = write(tmp_path / "replies.jsonl", {"id": "0", "entities": []}, reply)
    with pytest.raises(FileFormatError) as caught:
        RecordedReplies.load(posts=posts, replies=replies)
    assert (caught.value.path, caught.value.line) == (str(replies), 2)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        RecordedReplies.load(posts=tmp_path / "nowhere.jsonl", replies=tmp_path / "nowhere.jsonl")
