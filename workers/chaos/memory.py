"""The memory of a run's processes, looked at now and then while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from threading import Event
from typing import Any

Look = Callable[[], Mapping[str, float]]
"""The memory of each role now, in MiB."""


@dataclass(slots=True)
class MemoryWatch:
    """What was seen at each look, in order."""

    look: Look
    seen: list[Mapping[str, float]] = field(default_factory=list)

    def run(self, ended: Event, *, every_s: float) -> None:
        """Look until `ended`; blocks."""
        while not ended.wait(every_s):
            self.seen.append(self.look())

    def summary(self) -> dict[str, Any]:
        """MiB: the highest total, and of each role; the median total over the second quarter of the run and
        over the last, which are about equal where memory does not grow (caches fill in the first).
        """
        totals = [sum(seen.values()) for seen in self.seen]
        quarter = len(totals) // 4
        roles = {name for seen in self.seen for name in seen}
        return {
            "peak": round(max(totals, default=0.0)),
            "second_quarter": round(median(totals[quarter : 2 * quarter] or [0.0])),
            "last_quarter": round(median(totals[3 * quarter :] or [0.0])),
            "peak_by_role": {
                name: round(max(seen.get(name, 0.0) for seen in self.seen)) for name in sorted(roles)
            },
        }
