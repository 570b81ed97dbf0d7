"""What the processes run into, for whoever looks at the system as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linkner.errors import LinknerError

Note = Callable[[str, LinknerError], None]
"""Keeps what a stage ran into last: the name of a queue, `relay`, `batcher`, `money`, or `llm` with the
endpoint's name, and the error.

It neither waits nor raises, and of many errors in a row it keeps a few.
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a stage ran into last, and how long ago, in seconds."""

    stage: str
    error: str
    age_s: float


def of_llm(*, model: str, endpoint: str) -> str:
    """The stage of calls to a model at an endpoint (its URL, without a password)."""
    return f"llm {model} at {endpoint}"


def forget(stage: str, error: LinknerError) -> None:
    """A Note where nobody looks."""
