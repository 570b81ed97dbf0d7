"""What replies say of the limits: the truth, nothing, or nonsense; and which prompts are served cached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Literal

from linkner.pricing import tokens_of
from workers.simulate_llm.admission import Admission, SlidingWindow

QuotaHeaders = Literal["none", "retry-after", "full", "wrong"]
"""Nothing; on a 429 when to come back; that and the limits on every reply; nonsense in all of them."""

CACHED_FROM_TOKENS = 1024
CACHED_BY_TOKENS = 128
_CHARS_A_TOKEN = 4
_MOST_PREFIXES = 100_000
_NONSENSE = ("-1", "", "0", "999999999999999999999", "soon", "-5s", "1970-01-01", "1e9", "\x7f", "6h0m0s")


def quota_headers(
    kind: QuotaHeaders, admission: Admission, *, now: float, random: Random
) -> Mapping[str, str]:
    """The `x-ratelimit-*` headers of a reply, as OpenAI names them."""
    if kind in ("none", "retry-after"):
        return {}
    windows = {"requests": admission.requests, "tokens": admission.tokens}
    found: dict[str, str] = {}
    for name, window in windows.items():
        if not window.limit:
            continue
        for what, value in _said(window, now=now).items():
            found[f"x-ratelimit-{what}-{name}"] = random.choice(_NONSENSE) if kind == "wrong" else value
    return found


def retry_headers(kind: QuotaHeaders, wait_s: float, *, random: Random) -> Mapping[str, str]:
    """The header of a 429 that says when to come back; `none` leaves the client alone with it."""
    if kind == "none":
        return {}
    return {"retry-after": random.choice(_NONSENSE) if kind == "wrong" else str(math.ceil(wait_s))}


def _said(window: SlidingWindow, *, now: float) -> dict[str, str]:
    # What is left comes back over the whole window, so the reset says how much of it is used.
    reset_s = 60.0 * (1 - window.left(now=now) / window.limit)
    return {
        "limit": str(window.limit),
        "remaining": str(window.left(now=now)),
        "reset": f"{math.ceil(reset_s * 1000)}ms",
    }


class PromptCache:
    """Which beginnings of prompts were seen before, by model, in steps of CACHED_BY_TOKENS.

    As OpenAI counts it: nothing below CACHED_FROM_TOKENS is served cached.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[str, int, int]] = set()

    def tokens(self, model: str, prompt: str) -> int:
        """How many of the prompt's tokens were seen before; it is then seen itself."""
        steps = range(CACHED_FROM_TOKENS, tokens_of(len(prompt)) + 1, CACHED_BY_TOKENS)
        keys = {step: (model, step, hash(prompt[: step * _CHARS_A_TOKEN])) for step in steps}
        cached = max((step for step, key in keys.items() if key in self._seen), default=0)
        if len(self._seen) > _MOST_PREFIXES:
            self._seen.clear()
        self._seen.update(keys.values())
        return cached
