"""Errors: what a person reads, and who catches what."""

from __future__ import annotations

import re

import pytest

from linkner import errors
from linkner.errors import FileFormatError, InputError, LinknerError, RejectedError, UnavailableError


def test_a_message_has_its_parts_in_order() -> None:
    error = InputError("too long", expected="at most 3 words", got="5 words", hint="cut the text")
    assert str(error) == "too long; expected at most 3 words; got 5 words; cut the text"
    assert (error.problem, error.expected, error.got, error.hint) == (
        "too long",
        "at most 3 words",
        "5 words",
        "cut the text",
    )


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({}, "wrong"),
        ({"expected": "this"}, "wrong; expected this"),
        ({"got": "that"}, "wrong; got that"),
        ({"hint": "do so"}, "wrong; do so"),
    ],
)
def test_parts_that_are_missing_leave_no_trace(details: dict[str, str], message: str) -> None:
    assert str(LinknerError("wrong", **details)) == message


def test_a_file_error_begins_with_the_place() -> None:
    error = FileFormatError("no tag", path="posts.conll", line=12, got="'word'")
    assert str(error) == "posts.conll:12: no tag; got 'word'"
    assert (error.path, error.line) == ("posts.conll", 12)


def test_a_service_says_when_to_come_back() -> None:
    error = UnavailableError("busy", retry_after_s=2.5, hint="wait")
    assert error.retry_after_s == 2.5
    assert str(error) == "busy; wait"
    assert UnavailableError("down").retry_after_s is None


def test_the_tree_that_is_drawn_is_the_one_there_is() -> None:
    drawn, path = {}, [Exception.__name__]
    for indent, name in re.findall(r"^([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE):
        depth = 1 + len(indent) // 4
        path[depth:] = [name]
        drawn[name] = path[depth - 1]
    there = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, LinknerError)]
    assert drawn == {one.__name__: one.__base__.__name__ for one in there}


def test_what_may_be_tried_again_is_never_what_was_refused() -> None:
    assert not issubclass(UnavailableError, RejectedError)
    assert not issubclass(RejectedError, UnavailableError)
