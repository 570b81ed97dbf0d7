"""A clock that moves only when it is told to, or when somebody sleeps on it."""

from __future__ import annotations


class FakeClock:
    """The Clock port; `slept` has the length of every sleep, in seconds."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
