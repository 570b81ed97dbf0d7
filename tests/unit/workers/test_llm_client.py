"""Reading a chat completion's body, and what the client refuses to start with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.errors import ConfigurationError, UnavailableError
from workers.llm_client import MAX_TEXT_CHARS, OpenAiLlm, read_reply
from workers.ports import Reply


def completion(**changes: Any) -> bytes:
    value = {
        "model": "some-model",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "person"}}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 1, "total_tokens": 121},
    }
    return json.dumps(value | changes).encode()


def content(text: object) -> list[object]:
    return [{"message": {"content": text}}]


def test_a_completion_is_read() -> None:
    assert read_reply(completion()) == Reply("person", "some-model", 120, 1, replayed=False)


def test_a_replay_is_known_by_its_fingerprint() -> None:
    assert read_reply(completion(system_fingerprint="linkner-replay")).replayed


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}])
def test_missing_usage_counts_as_nothing(usage: object) -> None:
    reply = read_reply(completion(usage=usage))
    assert (reply.prompt_tokens, reply.completion_tokens) == (0, 0)


def test_missing_content_is_empty_text() -> None:
    assert read_reply(completion(choices=content(None))).text == ""


def test_text_is_bounded_and_can_be_stored() -> None:
    text = read_reply(completion(choices=content("a\0b\ud800c" + "x" * 100_000))).text
    assert text.startswith("ab?cx")
    assert len(text) <= MAX_TEXT_CHARS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"\xff",
        completion()[:50],
        completion(choices=[]),
        completion(choices=None),
        completion(choices=content(["person"])),
        completion(choices=content(7)),
        completion(model=None),
        completion(usage={"prompt_tokens": "many"}),
        completion(usage=[1]),
        completion().replace(b"120", b"1e999"),
    ],
)
def test_anything_else_is_unavailable(body: bytes) -> None:
    with pytest.raises(UnavailableError, match="cannot be read"):
        read_reply(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(changes=st.dictionaries(st.sampled_from(["model", "choices", "usage", "system_fingerprint"]), JSON))
def test_no_body_breaks_the_reader(changes: dict[str, Any]) -> None:
    try:
        reply = read_reply(completion(**changes))
    except UnavailableError:
        return
    reply.text.encode()


@pytest.mark.parametrize(
    ("base_url", "api_key"),
    [
        ("", "secret"),
        ("ftp://example.org/v1", "secret"),
        ("http:///v1", "secret"),
        ("http://[secret/v1", "secret"),
        ("http://example.org/v1", "secret\n"),
        ("http://example.org/v1", "sécret"),
        ("http://example.org/v1", "\0secret"),
    ],
)
def test_a_url_or_key_that_cannot_be_used_is_refused_without_showing_the_key(
    base_url: str, api_key: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OpenAiLlm(base_url=base_url, api_key=api_key, model="m", deadline_s=1.0, connections=1)
    assert "cret" not in str(caught.value)
