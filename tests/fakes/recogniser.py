"""Recognisers without a model: one for the service to load, and the client's fake."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from linkner.errors import CrashedError, ServiceError
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span

CAPITALISED = re.compile(r"\b[A-Z]\w+(?: [A-Z]\w+)*")


class TinyRecogniser:
    """Takes every run of capitalised words for a person, single ones with less certainty.

    The word "slow" in a text makes its chunk take half a second, the word "broken" makes it fail, the word
    "deadly" ends its process.
    """

    name = "tiny-1"
    label_set = "wnut17"

    def recognise(self, texts: Sequence[str]) -> list[Recognition]:
        if any("broken" in text for text in texts):
            raise RuntimeError("this text breaks the tiny recogniser")
        if any("deadly" in text for text in texts):
            os._exit(1)
        if any("slow" in text for text in texts):
            time.sleep(0.5)
        return [self._recognise(text) for text in texts]

    def _recognise(self, text: str) -> Recognition:
        entities = []
        for match in CAPITALISED.finditer(text):
            p = 0.9 if " " in match.group() else 0.6
            span = Span(*match.span())
            entities.append(ScoredSpan(span, "person", p, 1 - p, {OUTSIDE: 1 - p, "person": p}))
        return Recognition(entities=tuple(entities), plausible=())


@dataclass
class FakeRecogniser:
    """ports.RecogniserClient over a `TinyRecogniser`; each of `failures` is raised first, one a call."""

    failures: deque[ServiceError] = field(default_factory=deque)
    chunks: list[list[str]] = field(default_factory=list)

    def recognise(self, texts: Sequence[str]) -> tuple[str, list[Recognition]]:
        self.chunks.append(list(texts))
        if self.failures:
            raise self.failures.popleft()
        try:
            return TinyRecogniser.name, TinyRecogniser().recognise(texts)
        except RuntimeError as error:
            raise CrashedError(str(error)) from error
