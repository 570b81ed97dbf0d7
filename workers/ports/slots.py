"""Slots: how many questions one process has under way at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Slots(Protocol):
    """A fixed number of slots, each for one piece of work at a time."""

    def take(self, *, at_most: int) -> int:
        """Wait for free slots and take up to `at_most`; how many, at least 1.

        Raises:
            StoppedError: no more are given out.
        """

    def run(self, work: Callable[[], object]) -> None:
        """Have `work` done in a slot that was taken, which is free again afterwards."""

    def give_back(self, count: int) -> None:
        """Free slots that were taken and not used."""
