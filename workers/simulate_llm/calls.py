"""What the replaying endpoint writes down: counts since the start, and a line for each call."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO


@dataclass(slots=True)
class CallCounts:
    """Counts since the start. `violations` are calls beyond a limit: each got 429 and no answer.

    `peak_per_minute` is the largest number of calls in any sliding minute, violations included,
    `peak_admitted_per_minute` without them. Tokens are of answered calls, and estimated.
    """

    calls: int = 0
    answered: int = 0
    violations: int = 0
    refused: int = 0
    not_recorded: int = 0
    errors: int = 0
    malformed: int = 0
    drips: int = 0
    batched: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    completion_tokens: int = 0
    peak_per_minute: int = 0
    peak_admitted_per_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One call. `at` is when it was admitted or refused (s, monotonic), `took_s` until its reply was made.

    `asked` and `used` are tokens: prompt and `max_tokens`, and what counts in the end. `question` is a hash
    of the model and the messages: equal questions have equal ones.
    """

    at: float
    took_s: float
    status: int
    violation: bool
    asked: int
    used: int
    question: str


class CallLog:
    """Lines of JSON in a file, each written through at once; without a path, none."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = path.open("w", buffering=1, encoding="utf-8") if path else None

    def add(self, line: Line) -> None:
        """Write down one call."""
        if self._file is not None:
            self._file.write(json.dumps(asdict(line)) + "\n")

    def close(self) -> None:
        """No call may be added after it."""
        if self._file is not None:
            self._file.close()
            self._file = None
