"""When which fault comes: drawn from a seed, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

KILL = "kill"
RARE: Mapping[str, int] = {
    "broker-emptied": 2,
    "broker-killed": 1,
    "postgres-restarted": 2,
    "postgres-killed": 1,
    "postgres-read-only": 1,
    "llm-down": 1,
    "link-cut": 1,
    "link-delayed": 1,
    "link-half-open": 1,
}
"""How often each fault that is no kill of a role comes in one run, however long."""


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """One fault to inject, `at_s` seconds after the beginning."""

    at_s: float
    kind: str


def schedule(*, seed: int, seconds: float, kill_every_s: float) -> list[Planned]:
    """The faults of a run of so many seconds, in order.

    Kills come about every `kill_every_s`; the rare ones fall between a tenth and nine tenths of the run, each
    in a part of its own, so that they do not all come at once.
    """
    drawn = random.Random(seed)
    kills = int(seconds / kill_every_s)
    planned = [Planned((number + drawn.uniform(0.2, 0.8)) * kill_every_s, KILL) for number in range(kills)]
    kinds = [kind for kind, count in sorted(RARE.items()) for _ in range(count)]
    drawn.shuffle(kinds)
    part_s = 0.8 * seconds / len(kinds)
    for number, kind in enumerate(kinds):
        planned.append(Planned(0.1 * seconds + (number + drawn.random()) * part_s, kind))
    return sorted(planned)
