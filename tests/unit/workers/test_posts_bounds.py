"""A body of many tiny values is refused before it becomes as many objects."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from linkner.errors import InputError
from workers.handlers.decoding import MAX_TOKENS, decode
from workers.handlers.posts import PostLimits, parse_posts

TINY = [b"{}", b"[]", b'""', b"1", b'{"a":{}}']


def test_lines_are_read_no_further_than_to_the_first_too_many() -> None:
    body = b"ab\n" * 500_000
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="too many posts"):
            parse_posts(body, "application/x-ndjson", PostLimits())
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", TINY)
def test_an_array_of_too_many_values_is_not_decoded(value: bytes) -> None:
    body = b"[" + b",".join([value] * (MAX_TOKENS + 1)) + b"]"
    with pytest.raises(InputError, match="the body holds too many values"):
        parse_posts(body, "application/json", PostLimits())


@pytest.mark.parametrize("text", ["[{" * MAX_TOKENS, '\\"' * MAX_TOKENS, ", " * MAX_TOKENS])
def test_what_stands_in_a_string_does_not_count(text: str) -> None:
    assert decode(json.dumps([text, text]).encode(), "it") == [text, text]


@pytest.mark.parametrize("data", [b'"' * 3 + b"\\" * MAX_TOKENS * 2, b'\\"' * MAX_TOKENS * 2])
def test_strings_without_an_end_take_no_long_time(data: bytes) -> None:
    with pytest.raises(InputError, match=r"is not JSON|too many values"):
        decode(data, "it")
