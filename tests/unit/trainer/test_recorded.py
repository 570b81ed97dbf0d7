from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from linkner.errors import FileFormatError, InputError
from linkner.spans import LabelledSpan, Span
from trainer.recorded import read_labelled_posts, read_posts

POSTS = [
    {"id": "a", "text": "off to #NewDelhi 😀 with Anna"},
    {"id": "b", "text": "@anna likes it"},
    {"id": "c", "text": "nobody asked about this"},
    {"id": "d", "text": "   "},
]


def named(text: str, surface: str, label: str) -> dict[str, object]:
    start = text.index(surface)
    return {"start": start, "end": start + len(surface), "text": surface, "type": label}


REPLIES = [
    {"id": "b", "entities": [named(POSTS[1]["text"], "ann", "person")]},
    {
        "id": "a",
        "entities": [
            named(POSTS[0]["text"], "Anna", "person"),
            named(POSTS[0]["text"], "NewDelhi", "location"),
        ],
    },
    {"id": "d", "entities": []},
]


def write(path: Path, lines: list[dict[str, object]]) -> Path:
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz"])
def test_posts_are_cut_into_words_and_unaligned_entities_counted(tmp_path, name) -> None:
    found = read_labelled_posts(write(tmp_path / name, POSTS), write(tmp_path / "replies.jsonl", REPLIES))
    assert (found.entities, found.unaligned) == (3, 1)
    second, first = found.sentences
    assert second.words == ("@", "anna", "likes", "it")
    assert second.entities == ()
    assert first.words == ("off", "to", "#", "New", "Delhi", "😀", "with", "Anna")
    assert first.entities == (LabelledSpan(Span(3, 5), "location"), LabelledSpan(Span(7, 8), "person"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"id": "a", "text": "again"}, "has a post already"),
        ({"id": "e"}, "not a post"),
        ({"id": 5, "text": "x"}, "not a post"),
        (["a", "x"], "not a post"),
    ],
)
def test_a_bad_post_is_named_by_its_line(tmp_path, line, problem) -> None:
    path = write(tmp_path / "posts.jsonl", [POSTS[0], line])
    with pytest.raises(FileFormatError, match=f":2: .*{problem}"):
        read_posts(path)


def test_no_replies_are_an_error(tmp_path) -> None:
    with pytest.raises(InputError, match="no reply"):
        read_labelled_posts(write(tmp_path / "p.jsonl", POSTS), write(tmp_path / "r.jsonl", []))


def test_a_reply_about_another_text_is_refused(tmp_path) -> None:
    reply = {"id": "b", "entities": [{"start": 0, "end": 3, "text": "Bob", "type": "person"}]}
    with pytest.raises(FileFormatError, match="does not fit"):
        read_labelled_posts(write(tmp_path / "p.jsonl", POSTS), write(tmp_path / "r.jsonl", [reply]))
