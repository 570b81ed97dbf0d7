"""Carries a file of posts through a running stack and checks what comes out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from workers.api_client import GatewayClient, Submitted

Progress = Callable[[str, int], None]
"""Told the name of a step (`submitted`, `final`) and how many posts have passed it."""


@dataclass(slots=True)
class Carried:
    """What was seen in the feed, document by document, as it came out."""

    documents: dict[int, dict[str, Any]] = field(default_factory=dict)
    doubled: int = 0
    wrong_surface: int = 0

    def add(self, document: dict[str, Any]) -> None:
        """Count one feed item: a document or an entity seen twice is doubled."""
        seen = self.documents.get(document["id"])
        if seen is not None and seen["revision"] == document["revision"]:
            self.doubled += 1
        entities = document["entities"]
        self.doubled += len(entities) - len({(entity["start"], entity["end"]) for entity in entities})
        self.wrong_surface += sum(
            document["text"][entity["start"] : entity["end"]] != entity["text"] for entity in entities
        )
        self.documents[document["id"]] = document


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one run: counts, rates (posts a second), and the documents that came out."""

    submitted: Submitted
    carried: Carried
    questions: int
    unanswered: dict[str, int]
    replayed: int
    seconds: float

    @property
    def accepted(self) -> int:
        return self.submitted.accepted

    @property
    def final(self) -> int:
        return len(self.carried.documents)

    @property
    def ok(self) -> bool:
        """Whether every accepted post came out, once, with right offsets."""
        return self.accepted == self.final and not self.carried.doubled and not self.carried.wrong_surface

    def to_json(self) -> dict[str, Any]:
        """The summary, as it is printed."""
        entities = [e for document in self.carried.documents.values() for e in document["entities"]]
        decided_by = Counter({"local": 0, "llm": 0, "fallback": 0})
        decided_by.update(entity["decided_by"] for entity in entities)
        return {
            "accepted": self.accepted,
            "final": self.final,
            "entities": len(entities),
            "decided_by": dict(decided_by),
            "questions": self.questions,
            "lost": self.accepted - self.final,
            "doubled": self.carried.doubled,
            "duplicates": self.submitted.duplicates,
            "rejected": self.submitted.rejected,
            "wrong_surface": self.carried.wrong_surface,
            "unanswered": self.unanswered,
            "replayed": self.replayed,
            "seconds": round(self.seconds, 2),
            "posts_per_second": round(self.final / self.seconds, 1) if self.seconds else 0.0,
        }


def carry(client: GatewayClient, lines: Iterable[bytes], *, progress: Progress, timeout_s: float) -> Outcome:
    """Submit the lines, then follow the feed until every accepted post is final or the time is over."""
    started = time.monotonic()
    submitted = client.submit(lines, told=_counting("submitted", progress))
    carried, give_up = Carried(), started + timeout_s
    for items in client.follow():
        for item in items:
            carried.add(item["document"])
        progress("final", len(carried.documents))
        if len(carried.documents) >= submitted.accepted or time.monotonic() > give_up:
            break
        if not items:
            time.sleep(0.1)
    seconds = time.monotonic() - started
    status = client.status()
    return Outcome(
        submitted=submitted,
        carried=carried,
        questions=status["questions"].get("answered", 0),
        unanswered=status["dead_reasons"],
        replayed=status["replayed"],
        seconds=seconds,
    )


def _counting(step: str, progress: Progress) -> Callable[[int], None]:
    total = 0

    def told(count: int) -> None:
        nonlocal total
        total += count
        progress(step, total)

    return told
