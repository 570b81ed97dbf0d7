"""Classification: the question put to the LLM about one span, and the label read from its reply."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """One chat request. `system` is the constant part; `user` holds the post; `max_tokens` bounds the answer.

    `version` names the form of the question and the descriptions in it; answers carry it.
    """

    system: str
    user: str
    max_tokens: int
    version: str
