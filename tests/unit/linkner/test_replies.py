"""Recorded replies: both forms of file, the rule that answers a question, and replies that do not fit."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.errors import FileFormatError, InputError
from linkner.replies import MIN_IOU, RecordedReply, label_at, read_post_replies, read_sentence_replies
from linkner.spans import OUTSIDE, LabelledSpan, Span
from tests.unit.linkner.strategies import LABELS, spans

SENTENCES = [("Mira", "Okafor", "lands", "in", "Old", "Lagos"), ("nothing", "here")]
POSTS = {"a": "😀 Lagos!", "b": "no name"}


def item(start: int, end: int, text: str, label: str) -> dict[str, object]:
    return {"start": start, "end": end, "text": text, "type": label}


def write(path: Path, *records: object) -> Path:
    text = "\n".join(json.dumps(record) for record in records) + "\n\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_sentence_replies_are_read_in_the_order_of_the_sentences(tmp_path: Path, suffix: str) -> None:
    path = write(
        tmp_path / f"replies.{suffix}",
        {"sentence": 1, "entities": []},
        {
            "sentence": 0,
            "entities": [item(0, 2, "Mira Okafor", "person")],
            "answers": [item(4, 6, "Old Lagos", "location"), item(3, 4, "in", "none")],
        },
    )
    first, second = read_sentence_replies(path, SENTENCES)
    assert first.entities == (LabelledSpan(Span(0, 2), "person"),)
    assert first.answers == {Span(4, 6): "location", Span(3, 4): OUTSIDE}
    assert first.labels == {"person", "location"}
    assert second == RecordedReply(entities=(), answers={})


def test_post_replies_are_read_by_id_and_a_post_may_have_none(tmp_path: Path) -> None:
    path = write(tmp_path / "replies.jsonl", {"id": "a", "entities": [item(2, 7, "Lagos", "location")]})
    replies = read_post_replies(path, POSTS)
    assert replies == {"a": RecordedReply(entities=(LabelledSpan(Span(2, 7), "location"),), answers={})}


def test_the_answer_about_a_span_comes_before_an_equal_entity_and_that_before_one_that_overlaps() -> None:
    entities = (LabelledSpan(Span(0, 4), "person"), LabelledSpan(Span(4, 6), "group"))
    reply = RecordedReply(entities=entities, answers={Span(0, 4): OUTSIDE, Span(0, 1): "location"})
    assert reply.label_of(Span(0, 4)) == OUTSIDE
    assert reply.label_of(Span(0, 1)) == "location"
    assert reply.label_of(Span(4, 6)) == "group"
    assert reply.label_of(Span(4, 5)) == "group", "half of the union is enough"
    assert reply.label_of(Span(3, 5)) == OUTSIDE, "a third is not"
    assert reply.label_of(Span(1, 5)) == "person", "the better overlap wins"
    assert reply.label_of(Span(7, 8)) == OUTSIDE


@given(
    places=st.lists(spans, max_size=4),
    entities=st.lists(st.builds(LabelledSpan, spans, st.sampled_from(LABELS))),
)
def test_the_label_is_that_of_a_best_overlap(places: list[Span], entities: list[LabelledSpan]) -> None:
    best = max((entity.span.iou(place) for entity in entities for place in places), default=0.0)
    candidates = {one.label for one in entities if any(one.span.iou(place) == best for place in places)}
    label = label_at(places, entities)
    assert label in candidates if best >= MIN_IOU else label == OUTSIDE


SENTENCE_LINES = [
    {"sentence": 2, "entities": []},
    {"sentence": -1, "entities": []},
    {"sentence": True, "entities": []},
    {"sentence": "1", "entities": []},
    {"sentence": [1], "entities": []},
    {"sentence": 0, "entities": []},  # a second reply to it
    {"sentence": 1, "entities": [item(0, 1, "here", "person")]},
    {"sentence": 1, "entities": [item(1, 3, "here", "person")]},
    {"sentence": 1, "entities": [item(1, 1, "", "person")]},
    {"sentence": 1, "entities": [item(0, 1, "nothing", 5)]},  # type: ignore[arg-type]
    {"sentence": 1, "entities": [{"start": 0, "end": 1, "text": "nothing"}]},
    {"sentence": 1, "entities": [], "answers": [{"start": 0.0, "end": 1, "text": "nothing", "type": "none"}]},
    {"sentence": 1, "entities": [], "answers": 7},
    {"sentence": 1},
    {"id": "a", "entities": []},
    [],
    "text",
]


@pytest.mark.parametrize("line", SENTENCE_LINES, ids=repr)
def test_a_line_that_does_not_fit_the_sentences_is_refused_with_its_number(
    tmp_path: Path, line: object
) -> None:
    path = write(tmp_path / "replies.jsonl", {"sentence": 0, "entities": []}, line)
    with pytest.raises(FileFormatError, match="repl") as caught:
        read_sentence_replies(path, SENTENCES)
    assert (caught.value.path, caught.value.line) == (str(path), 2)


def test_offsets_beyond_the_text_are_called_so(tmp_path: Path) -> None:
    path = write(tmp_path / "replies.jsonl", {"id": "a", "entities": [item(2, 999, "Lagos", "location")]})
    with pytest.raises(FileFormatError, match=r"\[2, 999\) is beyond the text; got 'Lagos'"):
        read_post_replies(path, POSTS)


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_json_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(line)
    with pytest.raises(FileFormatError, match="1: not a recorded reply"):
        read_post_replies(path, POSTS)


@pytest.mark.parametrize(
    "line", [{"id": "c", "entities": []}, {"id": "a", "entities": [item(2, 9, "Lagos!", "location")]}]
)
def test_a_line_that_does_not_fit_the_posts_is_refused(tmp_path: Path, line: object) -> None:
    with pytest.raises(FileFormatError, match="1: the reply does not fit the data"):
        read_post_replies(write(tmp_path / "replies.jsonl", line), POSTS)


def test_a_sentence_without_a_reply_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "replies.jsonl", {"sentence": 0, "entities": []})
    with pytest.raises(InputError, match="no reply about sentence 1"):
        read_sentence_replies(path, SENTENCES)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "text.gz"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.gz").write_text("plain")
    with pytest.raises(InputError, match=name):
        read_post_replies(tmp_path / name, POSTS)
