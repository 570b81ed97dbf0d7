"""Messages carry ids of a known version, and nothing else is taken for one."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import messages
from broker.messages import MAX_IDS, decode_ids, decode_posts, encode_ids, encode_posts
from linkner.errors import InputError

ids = st.integers(min_value=1, max_value=2**63 - 1)


@given(st.lists(ids, max_size=20))
def test_ids_survive_the_wire(values: list[int]) -> None:
    assert decode_ids(json.loads(json.dumps(encode_ids(values)))) == tuple(values)


def test_posts_survive_the_wire() -> None:
    posts = [{"id": "1", "text": "hello"}, 3, None]
    assert decode_posts(json.loads(json.dumps(encode_posts(posts)))) == posts


@pytest.mark.parametrize("value", [datetime.now(UTC), Decimal("1.5"), uuid4(), b"x", {1}, math.nan])
def test_a_post_that_is_not_plain_json_is_told_to_its_producer(value: object) -> None:
    bad = {"external_id": "b", "metadata": {"at": [value]}}
    with pytest.raises(InputError, match=r"the post at index 1 \(external_id 'b'\) is not plain JSON"):
        encode_posts([{"external_id": "a"}, bad])


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "ids",
        {},
        {"ids": [1]},
        {"v": 2, "ids": [1]},
        {"v": "1", "ids": [1]},
        {"v": 0, "ids": [1]},
        {"v": True, "ids": [1]},
        {"v": 2, "since": 2, "ids": [1]},
        {"v": 2, "since": "1", "ids": [1]},
        {"v": 1},
        {"v": 1, "ids": 1},
        {"v": 1, "ids": ["1"]},
        {"v": 1, "ids": [True]},
        {"v": 1, "ids": [0]},
        {"v": 1, "ids": [2**63]},
        {"v": 1, "ids": [1.0]},
        {"v": 1, "ids": list(range(1, MAX_IDS + 2))},
    ],
)
def test_anything_else_is_an_input_error(message: object) -> None:
    with pytest.raises(InputError):
        decode_ids(message)


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(InputError, match="expected 1 to 1; got 9"):
        decode_posts({"v": 9, "posts": []})


def test_a_newer_message_that_this_version_understands_is_read() -> None:
    assert decode_ids({"v": 2, "since": 1, "ids": [7], "new": "something"}) == (7,)


def test_the_next_version_reads_the_messages_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    written = encode_ids([7])
    monkeypatch.setattr(messages, "VERSION", 2)
    assert decode_ids(written) == (7,)
    monkeypatch.setattr(messages, "OLDEST", 2)
    with pytest.raises(InputError, match="expected 2 to 2; got 1"):
        decode_ids(written)
