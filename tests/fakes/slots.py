"""Slots without threads, and questions handled one by one in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from workers.handlers.classify import ClassifyQuestions


@dataclass
class FakeSlots:
    """Work is done at once by who brings it; `outcomes` is what came of it."""

    at_once: int = 8
    outcomes: list[object] = field(default_factory=list)
    taken: int = 0

    def take(self, *, at_most: int) -> int:
        self.taken = min(at_most, self.at_once)
        return self.taken

    def run(self, work: Callable[[], object]) -> None:
        self.outcomes.append(work())
        self.taken -= 1

    def give_back(self, count: int) -> None:
        self.taken -= count


def handle_one(handle: ClassifyQuestions, question_id: int) -> object:
    """What becomes of a message with one question, which is asked by this thread; an Outcome."""
    slots = FakeSlots()
    without_asking = replace(handle, slots=slots)([question_id])
    assert slots.taken == 0
    (outcome,) = [*without_asking.elements(), *slots.outcomes]
    return outcome
