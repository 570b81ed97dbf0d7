"""The chunk protocol of the recognition service: JSON bodies, versioned, bounded on both sides.

Request: `{"v": 1, "texts": ["…", …]}`. Response: `{"v": 1, "model": "…", "results": [recognition, …]}`, one
recognition for each text, in order; offsets are code points.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from linkner.errors import InputError
from linkner.spans import Recognition

VERSION = 1
MAX_TEXTS = 256
MAX_TEXT_CHARS = 100_000
MAX_REQUEST_BYTES = 32_000_000
MAX_RESPONSE_BYTES = 256_000_000


def write_request(texts: Sequence[str]) -> bytes:
    """The body that asks for these texts' recognition."""
    return json.dumps({"v": VERSION, "texts": list(texts)}).encode()


def read_request(body: bytes) -> list[str]:
    """The texts in a request's body.

    Raises:
        InputError: another version, too many or too long texts, one that is no valid Unicode, or no JSON.
    """
    texts = _read(body).get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError("not a chunk of texts", expected='{"v": 1, "texts": ["…"]}')
    if len(texts) > MAX_TEXTS:
        raise InputError("too many texts", expected=f"at most {MAX_TEXTS}", got=str(len(texts)))
    for number, text in enumerate(texts):
        if len(text) > MAX_TEXT_CHARS:
            raise InputError(
                f"text {number} is too long",
                expected=f"at most {MAX_TEXT_CHARS} code points",
                got=str(len(text)),
            )
        if not _is_unicode(text):
            raise InputError(f"text {number} holds a lone surrogate", expected="valid Unicode")
    return texts


def write_response(model: str, recognitions: Sequence[Recognition]) -> bytes:
    """The body that answers with these recognitions, made by `model`."""
    results = [recognition.to_json() for recognition in recognitions]
    return json.dumps({"v": VERSION, "model": model, "results": results}).encode()


def read_response(body: bytes, *, count: int) -> tuple[str, list[Recognition]]:
    """The model's name and the recognitions, of which there must be `count`.

    Raises:
        InputError: another version, another number of results, or no such body.
    """
    value = _read(body)
    model, results = value.get("model"), value.get("results")
    if not isinstance(model, str) or not isinstance(results, list) or len(results) != count:
        raise InputError("not a chunk's results", expected=f"a model's name and {count} results")
    return model, [Recognition.from_json(result) for result in results]


def _read(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("the body is not JSON") from error
    if not isinstance(value, dict) or value.get("v") != VERSION:
        raise InputError(
            "another version of the chunk protocol, or none", expected=f'an object with "v": {VERSION}'
        )
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
