"""What a run accepted and what came out of it: the set check that shows what was lost or doubled."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from statistics import median
from threading import Lock
from typing import Any

from workers.demo.carry import Carried


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault as it was injected, from `at` until `until` by the record's clock."""

    kind: str
    detail: str
    at: float
    until: float


@dataclass(slots=True)
class RunRecord:
    """Everything that producers and a reader of the feed saw; threads may share it.

    A post counts as accepted from its first 202 on. `clock` gives seconds.
    """

    clock: Callable[[], float]
    texts: dict[int, str] = field(default_factory=dict)
    accepted_at: dict[int, float] = field(default_factory=dict)
    final_at: dict[int, float] = field(default_factory=dict)
    carried: Carried = field(default_factory=Carried)
    sent: int = 0
    refused: int = 0
    out_of_order: int = 0
    faults: list[Injected] = field(default_factory=list)
    _cursor: int = 0
    _lock: Lock = field(default_factory=Lock)

    def submitted(self, items: Sequence[Mapping[str, Any]], texts: Iterable[str]) -> None:
        """Note the gateway's answer on each post of a batch."""
        now = self.clock()
        with self._lock:
            self.sent += len(items)
            for item, text in zip(items, texts, strict=True):
                if item["status"] == "rejected":
                    self.refused += 1
                elif item["id"] not in self.accepted_at:
                    self.accepted_at[item["id"]] = now
                    self.texts[item["id"]] = text

    def read(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Note items of the feed, in the order in which they came."""
        now = self.clock()
        with self._lock:
            for item in items:
                self.out_of_order += item["cursor"] <= self._cursor
                self._cursor = item["cursor"]
                self.carried.add(item["document"])
                self.final_at.setdefault(item["document"]["id"], now)

    @property
    def cursor(self) -> int:
        """How far the feed was followed."""
        return self._cursor

    @property
    def progress(self) -> tuple[int, int]:
        """How many posts were sent, and how many documents have become final."""
        return self.sent, len(self.final_at)

    @property
    def waiting(self) -> int:
        """Accepted and not final yet."""
        with self._lock:
            return len(self.accepted_at.keys() - self.final_at.keys())

    def wrong(self) -> int:
        """Final documents that are not what was sent, or whose entities contradict them or each other."""
        return self.carried.wrong_surface + sum(
            _is_wrong(document, self.texts.get(id_)) for id_, document in self.carried.documents.items()
        )

    def recoveries_s(self) -> list[tuple[str, float]]:
        """Each fault's kind, and the time from its beginning until all that was accepted before its end was
        final; what other faults delayed meanwhile is in it."""
        ended = sorted(
            (accepted, self.final_at[id_])
            for id_, accepted in self.accepted_at.items()
            if id_ in self.final_at
        )
        accepted_at = [accepted for accepted, _ in ended]
        last_final = list(accumulate((final for _, final in ended), max))
        recoveries = []
        for fault in self.faults:
            before = bisect_right(accepted_at, fault.until)
            recovered = last_final[before - 1] if before else fault.at
            recoveries.append((fault.kind, max(recovered - fault.at, 0.0)))
        return recoveries

    def summary(self, *, missing_from_feed: int) -> dict[str, Any]:
        """The counts; `missing_from_feed` is what reading it afresh shows and following it missed."""
        accepted = self.accepted_at.keys()
        recoveries = self.recoveries_s()
        by_kind: dict[str, list[float]] = defaultdict(list)
        for kind, seconds in sorted(recoveries):
            by_kind[kind].append(seconds)
        return {
            "accepted": len(accepted),
            "final": len(accepted & self.final_at.keys()),
            "lost": len(accepted - self.final_at.keys()) + missing_from_feed,
            "doubled": self.carried.doubled,
            "wrong": self.wrong() + self.out_of_order,
            "refused": self.refused,
            "faults": len(self.faults),
            **_recovery([seconds for _, seconds in recoveries]),
            "by_fault": {kind: {"faults": len(s), **_recovery(s)} for kind, s in by_kind.items()},
        }


def _recovery(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median_recovery_s": round(median(seconds), 1) if seconds else 0.0,
        "worst_recovery_s": round(max(seconds, default=0.0), 1),
    }


def _is_wrong(document: Mapping[str, Any], text: str | None) -> bool:
    """`text` is what was sent; None where another producer sent it."""
    entities = sorted((entity["start"], entity["end"]) for entity in document["entities"])
    overlap = any(after[0] < before[1] for before, after in pairwise(entities))
    reasonless = any(e["decided_by"] == "fallback" and not e["reason"] for e in document["entities"])
    return overlap or reasonless or document["status"] != "final" or text not in (None, document["text"])
