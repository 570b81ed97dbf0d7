"""Why a question, a candidate, a document or a message came to an end without what was wanted of it."""

from __future__ import annotations

ATTEMPTS_EXHAUSTED = "attempts-exhausted"
"""The reason of a question or a document that was tried too often without coming to an end."""

BUDGET = "budget"
"""The reason of a question that was not asked because a budget, or the money of a limit, was spent."""

DEADLINE = "deadline"
"""The reason of a question or a document that still waited past its deadline."""

LANE_NEVER = "lane-never"
"""The reason of a candidate in a document that is never to be asked about."""

LLM_REFUSED = "llm-refused"
"""The reason of a question that the LLM's endpoint refused for good."""

NO_ANSWER = "no-answer"
"""The reason of a candidate whose question was answered, but not about it."""

NO_LLM = "no-llm"
"""The reason of a candidate that was not asked about because no LLM is configured."""

RECOGNISER_REFUSED = "recogniser-refused"
"""The reason of a document that the recognition service will not take."""

UNREADABLE = "unreadable-answer"
"""The reason of a question whose second reply, too, gave no label that could be read."""

UNUSABLE = "unusable-message"
"""The reason of a message that no worker could use; its error says more."""
