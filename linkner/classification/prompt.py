"""The value that an LLM is asked with, and the parts that every form of question shares.

A post is data: it stands in the question as one JSON string, so nothing in it can close the quote, start a
line or be taken for another part of the question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from linkner.errors import InputError
from linkner.spans import Span

NON_ENTITY = "Non-entity"
"""What the LLM answers for `OUTSIDE`."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One chat request. `system` is the constant part; `user` holds the post; `max_tokens` bounds the answer.

    `version` names the form of the question and the descriptions in it; answers carry it. `schema` is the
    JSON schema of the reply where it is to be an object; the words of the prompt say the same without it.
    """

    system: str
    user: str
    max_tokens: int
    version: str
    schema: Mapping[str, Any] | None = None


def quoted(text: str) -> str:
    """The text as one JSON string, on one line."""
    return json.dumps(text, ensure_ascii=False)


def surface(text: str, span: Span) -> str:
    """The span's surface as one JSON string. Raises InputError where the span ends after the text."""
    if span.end > len(text):
        raise InputError(
            "a span ends after its text", expected=f"an end of at most {len(text)}", got=str(span.end)
        )
    return quoted(span.of(text))


def version_of(form: str, *constant: str) -> str:
    """The name of a form of question with these constant parts, as `form:digest`."""
    digest = sha256("\n".join((form, *constant)).encode()).hexdigest()
    return f"{form}:{digest[:8]}"
