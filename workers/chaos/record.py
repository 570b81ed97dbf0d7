"""What a run accepted and what came out of it: the set check that shows what was lost or doubled."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import inf
from statistics import median
from threading import Lock
from typing import Any

from workers.demo.carry import Carried


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault as it was injected, `at` by the record's clock."""

    kind: str
    detail: str
    at: float


@dataclass(slots=True)
class RunRecord:
    """Everything that producers and a reader of the feed saw; threads may share it.

    A post counts as accepted from its first 202 on, and waits from when it was first sent until it is final:
    while the gateway is away, it waits as well. `clock` gives seconds.
    """

    clock: Callable[[], float]
    texts: dict[int, str] = field(default_factory=dict)
    accepted: dict[int, float] = field(default_factory=dict)
    """When what was accepted had first been sent."""
    final_at: dict[int, float] = field(default_factory=dict)
    carried: Carried = field(default_factory=Carried)
    sent: int = 0
    refused: int = 0
    out_of_order: int = 0
    faults: list[Injected] = field(default_factory=list)
    _cursor: int = 0
    _lock: Lock = field(default_factory=Lock)

    def submitted(self, items: Sequence[Mapping[str, Any]], texts: Iterable[str], *, sent_at: float) -> None:
        """Note the gateway's answer on each post of a batch that was first sent at `sent_at`."""
        with self._lock:
            self.sent += len(items)
            for item, text in zip(items, texts, strict=True):
                if item["status"] == "rejected":
                    self.refused += 1
                elif item["id"] not in self.accepted:
                    self.accepted[item["id"]] = sent_at
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
            return len(self.accepted.keys() - self.final_at.keys())

    def wrong(self) -> int:
        """Final documents that are not what was sent, or whose entities contradict them or each other."""
        return self.carried.wrong_surface + sum(
            _is_wrong(document, self.texts.get(id_)) for id_, document in self.carried.documents.items()
        )

    def waits_s(self) -> list[float]:
        """How long each post that has become final waited for it, in the order in which they were sent."""
        return [final - sent for sent, final in self._ended()]

    def recoveries_s(self) -> list[tuple[str, float]]:
        """Each fault's kind, and the longest wait since it began: of all posts sent before the next fault,
        so that what came while a killed process was away is part of it. What other faults delayed is, too.
        """
        ended = self._ended()
        sent_at = [sent for sent, _ in ended]
        last_final = list(accumulate((final for _, final in ended), max))
        ends = [fault.at for fault in self.faults[1:]] + [inf]
        recoveries = []
        for fault, end in zip(self.faults, ends, strict=False):
            before, upto = bisect_right(sent_at, fault.at), bisect_right(sent_at, end)
            waits = [final - sent for sent, final in ended[before:upto]]
            if before:
                waits.append(max(last_final[before - 1] - fault.at, 0.0))
            recoveries.append((fault.kind, max(waits, default=0.0)))
        return recoveries

    def _ended(self) -> list[tuple[float, float]]:
        """When each post that is final was sent and became final; what was sent first comes first."""
        return sorted(
            (sent, self.final_at[id_]) for id_, sent in self.accepted.items() if id_ in self.final_at
        )

    def summary(self, *, missing_from_feed: int) -> dict[str, Any]:
        """The counts; `missing_from_feed` is what reading it afresh shows and following it missed."""
        accepted = self.accepted.keys()
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
            **_waits(sorted(self.waits_s())),
        }


def _recovery(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median_recovery_s": round(median(seconds), 1) if seconds else 0.0,
        "worst_recovery_s": round(max(seconds, default=0.0), 1),
    }


def _waits(seconds: Sequence[float]) -> dict[str, float]:
    """`seconds` in ascending order."""
    if not seconds:
        return dict.fromkeys(("median_wait_s", "p99_wait_s", "worst_wait_s"), 0.0)
    return {
        "median_wait_s": round(median(seconds), 1),
        "p99_wait_s": round(seconds[(len(seconds) - 1) * 99 // 100], 1),
        "worst_wait_s": round(seconds[-1], 1),
    }


def _is_wrong(document: Mapping[str, Any], text: str | None) -> bool:
    """`text` is what was sent; None where another producer sent it."""
    entities = sorted((entity["start"], entity["end"]) for entity in document["entities"])
    overlap = any(after[0] < before[1] for before, after in pairwise(entities))
    reasonless = any(e["decided_by"] == "fallback" and not e["reason"] for e in document["entities"])
    return overlap or reasonless or document["status"] != "final" or text not in (None, document["text"])
