"""What producers may send: every good post becomes a document, every bad one a clear error of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.errors import InputError
from workers.handlers.posts import PostError, PostLimits, parse_post, parse_posts
from workers.ports import NewDocument

LIMITS = PostLimits(
    max_items=5, max_text_chars=40, max_id_chars=10, max_metadata_chars=100, max_metadata_depth=3
)
JSON, LINES = "application/json", "application/x-ndjson"


def post(**changes: Any) -> dict[str, Any]:
    return {"external_id": "1", "source": "twitter", "text": "hello Porto"} | changes


def error_of(item: NewDocument | PostError) -> str:
    assert isinstance(item, PostError)
    return str(item.error)


def test_an_array_becomes_documents_in_order() -> None:
    body = json.dumps([post(), post(external_id="2", metadata={"likes": 3})]).encode()

    assert parse_posts(body, JSON, LIMITS) == [
        NewDocument(source="twitter", external_id="1", text="hello Porto"),
        NewDocument(source="twitter", external_id="2", text="hello Porto", metadata={"likes": 3}),
    ]


@pytest.mark.parametrize("content_type", [LINES, "application/jsonl", "Application/X-NDJSON; charset=utf-8"])
def test_lines_become_documents_and_blank_lines_do_not_count(content_type: str) -> None:
    body = f"\ufeff{json.dumps(post())}\r\n\n   \n{json.dumps(post(external_id='2'))}".encode()

    documents = parse_posts(body, content_type, LIMITS)

    assert [document.external_id for document in documents if isinstance(document, NewDocument)] == ["1", "2"]


def test_an_author_may_be_named() -> None:
    assert parse_post(post(author="ada"), LIMITS).author == "ada"
    assert parse_post(post(author=None), LIMITS).author is None


@pytest.mark.parametrize("author", ["", "  ", 7, ["ada"], "a" * 11, "a\0b", "\ud800"])
def test_an_author_that_cannot_be_used_is_an_error(author: object) -> None:
    with pytest.raises(InputError, match="author"):
        parse_post(post(author=author), LIMITS)


def test_a_bad_post_is_an_error_with_its_index_next_to_the_good_ones() -> None:
    good, bad, also_good = parse_posts(json.dumps([post(), 7, post()]).encode(), JSON, LIMITS)

    assert isinstance(good, NewDocument)
    assert isinstance(also_good, NewDocument)
    assert isinstance(bad, PostError)
    assert (bad.index, bad.line) == (1, None)
    assert "a post must be a JSON object; got a number" in str(bad.error)


def test_a_bad_line_is_an_error_with_its_line_number() -> None:
    good = json.dumps(post()).encode()
    bad_lines = [b"{not json", b'{"text": "\xff"}', b"[" * 100_000]

    first, *errors = parse_posts(b"\n\n".join([good, *bad_lines]), LINES, LIMITS)

    assert isinstance(first, NewDocument)
    assert [(e.index, e.line) for e in errors if isinstance(e, PostError)] == [(1, 3), (2, 5), (3, 7)]
    assert [error_of(error).split(";")[0] for error in errors] == [
        "the line is not JSON",
        "the line is not UTF-8",
        "the line is nested too deeply",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "text is missing"),
        ({"text": ""}, "text is empty"),
        ({"text": " \n\u2003\t"}, "text is empty"),
        ({"text": 5}, "text must be a string; got a number"),
        ({"text": True}, "text must be a string; got a boolean"),
        ({"text": ["a"]}, "text must be a string; got an array"),
        ({"text": "x" * 41}, "text is too long; expected at most 40 characters; got 41"),
        ({"text": "a\0b"}, "text has a NUL character; got U+0000 at position 1"),
        ({"text": "cut \ud83d"}, "text has a lone surrogate; got U+D83D at position 4"),
        ({"source": None}, "source is missing"),
        ({"source": {}}, "source must be a string; got an object"),
        ({"source": "s" * 11}, "source is too long; expected at most 10 characters; got 11"),
        ({"external_id": None}, "external_id is missing"),
        ({"external_id": 12}, "external_id must be a string; got a number"),
        ({"external_id": " "}, "external_id is empty"),
        ({"external_id": "\0"}, "external_id has a NUL character"),
        ({"external_id": "1" * 11}, "external_id is too long"),
        ({"metadata": []}, "metadata must be an object; got an array"),
        ({"lane": "soon"}, "there is no such lane; expected now or batch or never; got 'soon'"),
        ({"lane": ["now"]}, "there is no such lane; expected now or batch or never; got an array"),
        ({"deadline_s": 0}, "deadline_s is out of range"),
        ({"deadline_s": True}, "deadline_s is out of range"),
        ({"deadline_s": "60"}, "deadline_s is out of range"),
        ({"deadline_s": float("nan")}, "deadline_s is out of range"),
        (
            {"deadline_s": 1e9},
            "deadline_s is out of range; expected seconds above 0, at most 2592000; got 1000000000.0",
        ),
        ({"metadata": {"a": "\udc00"}}, "metadata has a lone surrogate"),
        ({"metadata": {"\0": 1}}, "metadata has a NUL character"),
        ({"metadata": {"a": "x" * 100}}, "metadata is too large; expected JSON of at most 100 characters"),
        ({"metadata": {"a": [{"b": []}]}}, "metadata is nested too deeply"),
        ({"metadata": {"a": float("nan")}}, "metadata has a number out of range"),
        ({"metadata": {"a": [float("-inf")]}}, "metadata has a number out of range"),
        ({"created_at": 1_700_000_000}, "created_at must be a string; got a number"),
        ({"created_at": "yesterday"}, "created_at is not an RFC 3339 time"),
    ],
)
def test_a_post_that_cannot_be_stored_is_refused_with_the_reason(
    changes: dict[str, Any], message: str
) -> None:
    body = json.dumps([post(**changes)]).encode()

    [item] = parse_posts(body, JSON, LIMITS)

    assert error_of(item).startswith(message)


def test_limits_count_code_points_and_let_the_longest_through() -> None:
    longest = post(text="👩" * 40, external_id="é" * 10, metadata={"a": [{"b": 1}]})

    assert parse_post(longest, LIMITS).text == "👩" * 40


@pytest.mark.parametrize("digits", ["9" * 20, "-" + "9" * 5_000])
def test_a_number_with_too_many_digits_is_an_error_of_its_post(digits: str) -> None:
    body = f'[{{"external_id":"1","source":"s","text":"t","metadata":{{"n":{digits}}}}}]'.encode()

    [item] = parse_posts(body, JSON, LIMITS)

    assert error_of(item).startswith("metadata has a number out of range")


def test_a_64_bit_id_in_metadata_is_kept_exactly() -> None:
    [document] = parse_posts(json.dumps([post(metadata={"id": 2**63 - 1})]).encode(), JSON, LIMITS)

    assert isinstance(document, NewDocument)
    assert document.metadata == {"id": 2**63 - 1}


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-03-07T17:00:00Z", datetime(2026, 3, 7, 17, tzinfo=UTC)),
        ("2026-03-07t19:00:00.5+02:00", datetime(2026, 3, 7, 17, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-07 17:00:00.123456789z", datetime(2026, 3, 7, 17, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_rfc_3339_and_kept_in_utc(written: str, time: datetime) -> None:
    assert parse_post(post(created_at=written), LIMITS).created_at == time


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-07",
        "2026-03-07T17:00:00",
        "2026-02-30T17:00:00Z",
        "2026-03-07T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-03-07T17:00:00Z",
        "2026-03-07T17:00:00Z\n",
    ],
)
def test_other_times_are_refused(written: str) -> None:
    with pytest.raises(InputError, match="RFC 3339"):
        parse_post(post(created_at=written), LIMITS)


def test_id_stands_in_for_external_id_and_unknown_fields_are_ignored() -> None:
    assert parse_post({"id": "7", "source": "s", "text": "t", "lang": "en"}, LIMITS).external_id == "7"
    assert parse_post(post(id="7"), LIMITS).external_id == "1"


def test_the_demo_posts_are_good_and_each_has_its_own_id() -> None:
    body = (files("workers") / "demo" / "posts.jsonl").read_bytes()

    documents = parse_posts(body, LINES, PostLimits())

    ids = {(item.source, item.external_id) for item in documents if isinstance(item, NewDocument)}
    assert len(ids) == len(documents) > 90


def test_missing_time_and_metadata_may_be_null() -> None:
    assert parse_post(post(created_at=None, metadata=None), LIMITS) == parse_post(post(), LIMITS)


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"[]", "text/plain", "posts cannot be read from this content type"),
        (b"[]", "", "posts cannot be read from this content type"),
        (b"[]", JSON, "the body holds no posts"),
        (b" \n\n", LINES, "the body holds no posts"),
        (b"[1,1,1,1,1,1]", JSON, "the body holds too many posts; expected 1 to 5 posts; got more than 5"),
        (b"1\n" * 6, LINES, "the body holds too many posts"),
        (b"{}", JSON, "the body must be a JSON array of posts; got an object"),
        (b"[1,", JSON, "the body is not JSON"),
        (b'["\xff"]', JSON, "the body is not UTF-8; got a bad byte at position 2"),
        (b"[" * 100_000, JSON, "the body is nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(
    body: bytes, content_type: str, message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        parse_posts(body, content_type, LIMITS)


@given(body=st.binary(max_size=300), content_type=st.sampled_from([JSON, LINES]))
def test_no_bytes_raise_anything_but_an_input_error(body: bytes, content_type: str) -> None:
    try:
        items = parse_posts(body, content_type, LIMITS)
    except InputError:
        return
    assert len(items) <= LIMITS.max_items


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = ["external_id", "id", "source", "text", "created_at", "metadata", "lane", "deadline_s"]
posts = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values)).map(lambda some: post(**some))


@given(values=st.lists(posts | json_values, min_size=1, max_size=5))
def test_every_document_that_passes_can_be_stored(values: list[Any]) -> None:
    items = parse_posts(json.dumps(values).encode(), JSON, LIMITS)

    assert len(items) == len(values)
    for index, item in enumerate(items):
        if isinstance(item, PostError):
            assert item.index == index
        else:
            stored = item.source + item.external_id + item.text + json.dumps(item.metadata, allow_nan=False)
            assert "\0" not in stored
            assert "\\u0000" not in stored
            stored.encode()


def test_a_post_may_say_when_it_is_asked_about_and_until_when() -> None:
    found = parse_post(post(lane="never", deadline_s=90), LIMITS)
    assert (found.lane, found.deadline_s) == ("never", 90.0)
    found = parse_post(post(lane=None, deadline_s=None), LIMITS)
    assert (found.lane, found.deadline_s) == (None, None)
