"""Why a question, a candidate or a document came to an end without an answer."""

from __future__ import annotations

ATTEMPTS_EXHAUSTED = "attempts-exhausted"
"""The reason of a question or a document that was tried too often without coming to an end."""

NO_ANSWER = "no-answer"
"""The reason of a candidate whose question was answered, but not about it."""

DEADLINE = "deadline"
"""The reason of a question or a document that still waited past its deadline."""
