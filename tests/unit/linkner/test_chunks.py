"""The chunk protocol: what is written is read back, and nothing else is taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.chunks import (
    MAX_TEXT_CHARS,
    MAX_TEXTS,
    read_request,
    read_response,
    write_request,
    write_response,
)
from linkner.errors import InputError
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span

FOUND = Recognition((ScoredSpan(Span(0, 5), "location", 0.75, 0.25, {OUTSIDE: 0.25, "location": 0.75}),), ())
NOTHING = Recognition((), ())


@given(st.lists(st.text(), max_size=5))
def test_texts_are_read_back(texts: list[str]) -> None:
    assert read_request(write_request(texts)) == texts


@pytest.mark.parametrize("recognitions", [[], [FOUND], [NOTHING, FOUND]])
def test_results_are_read_back(recognitions: list[Recognition]) -> None:
    body = write_response("a-model", recognitions)
    assert read_response(body, count=len(recognitions)) == ("a-model", recognitions)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "version"),
        (b'{"texts": []}', "version"),
        (b'{"v": 2, "texts": []}', "version"),
        (b'{"v": 1}', "chunk"),
        (b'{"v": 1, "texts": "Lagos"}', "chunk"),
        (b'{"v": 1, "texts": [7]}', "chunk"),
        (b'{"v": 1, "texts": ["ok", "\\ud800"]}', "text 1 holds a lone surrogate"),
        (write_request([""] * (MAX_TEXTS + 1)), "too many"),
        (write_request(["x" * (MAX_TEXT_CHARS + 1)]), "text 0 is too long"),
    ],
)
def test_any_other_request_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_request(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"v": 2, "model": "m", "results": []}',
        write_response("m", [FOUND, FOUND]),
        write_response("m", []),
        json.dumps({"v": 1, "model": None, "results": [FOUND.to_json()]}).encode(),
        json.dumps({"v": 1, "model": "m", "results": [{"entities": 1}]}).encode(),
        json.dumps({"v": 1, "model": "m", "results": [7]}).encode(),
        json.dumps({"v": 1, "model": "m", "results": None}).encode(),
    ],
)
def test_any_other_response_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        read_response(body, count=1)


def test_the_longest_chunk_that_is_allowed_is_taken() -> None:
    assert len(read_request(write_request(["x" * MAX_TEXT_CHARS] * MAX_TEXTS))) == MAX_TEXTS
