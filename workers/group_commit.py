"""Group commit: what several threads have to write goes into one transaction.

A transaction costs about as much for one row as for ten. Whoever comes first waits a moment for others,
writes for all of them, and tells each what became of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from linkner.errors import UnavailableError
from workers.ports import Clock

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Calls `commit` with what came within `gather_s`; it returns a result for each, in order."""

    def __init__(
        self, commit: Callable[[Sequence[T]], Sequence[R]], *, clock: Clock, gather_s: float
    ) -> None:
        self._commit = commit
        self._clock = clock
        self._gather_s = gather_s
        self._lock = Lock()
        self._waiting: list[tuple[T, Future[R]]] = []

    def __call__(self, item: T) -> R:
        """Write the item, with others or alone; its result. Raises what `commit` raises."""
        mine: Future[R] = Future()
        with self._lock:
            self._waiting.append((item, mine))
            is_first = len(self._waiting) == 1
        if is_first:
            self._clock.sleep(self._gather_s)
            with self._lock:
                group, self._waiting = self._waiting, []
            self._write(group)
        return mine.result()

    def _write(self, group: Sequence[tuple[T, Future[R]]]) -> None:
        try:
            results = self._commit([item for item, _ in group])
        except UnavailableError as error:
            for _, future in group:
                future.set_exception(error)
        except Exception as error:
            self._write_apart(group, error)
        else:
            for (_, future), result in zip(group, results, strict=True):
                future.set_result(result)

    def _write_apart(self, group: Sequence[tuple[T, Future[R]]], error: Exception) -> None:
        """One item of the group is a defect: the others are written without it."""
        if len(group) == 1:
            group[0][1].set_exception(error)
            return
        for one in group:
            self._write([one])
