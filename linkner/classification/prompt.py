"""The value that an LLM is asked with, and the parts that every form of question shares.

A post is data: it stands in the question as one JSON string, so nothing in it can close the quote, start a
line or be taken for another part of the question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

NON_ENTITY = "Non-entity"
"""What the LLM answers for `OUTSIDE`."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One chat request. `system` is the constant part; `user` holds the post; `max_tokens` bounds the answer.

    `version` names the form of the question and the descriptions in it; answers carry it.
    """

    system: str
    user: str
    max_tokens: int
    version: str


def quoted(text: str) -> str:
    """The text as one JSON string, on one line."""
    return json.dumps(text, ensure_ascii=False)


def version_of(form: str, *constant: str) -> str:
    """The name of a form of question with these constant parts, as `form:digest`."""
    digest = sha256("\n".join((form, *constant)).encode()).hexdigest()
    return f"{form}:{digest[:8]}"
