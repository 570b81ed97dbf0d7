"""The faults, each a function that injects it and says how it is healed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from workers.chaos.proxy import TcpProxy

Heal = Callable[[], None]

RECOGNITION_WEIGHT = 0.25
"""Killing the recognition service is rarer than other kills: it takes half a minute to start again."""


class Crashable(Protocol):
    """A server that can be restarted and killed."""

    @property
    def pid(self) -> int: ...

    def restart(self) -> None: ...

    def kill(self, *, away_s: float) -> None: ...


class Processes(Protocol):
    """The supervised roles."""

    def pids(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What faults are injected into. `broker` None where the broker is not the run's own to kill."""

    processes: Sequence[Processes]
    postgres: Crashable
    redis: Crashable
    broker: Crashable | None
    empty_broker: Callable[[], None]
    forbid_writes: Callable[[bool], None]
    links: Mapping[str, TcpProxy]

    def roles(self) -> dict[str, int]:
        """The process id of each supervised role."""
        return {name: pid for processes in self.processes for name, pid in processes.pids().items()}

    def pids(self) -> dict[str, list[int]]:
        """The first process of everything that belongs to the run."""
        servers = {"postgres": self.postgres.pid, "redis": self.redis.pid}
        return {name: [pid] for name, pid in {**self.roles(), **servers}.items()}


@dataclass(frozen=True, slots=True)
class Injection:
    """What was done, to whom where that was drawn, and, where it lasts, for how long and how it ends."""

    detail: str
    lasts_s: float = 0.0
    heal: Heal | None = None
    whom: str = ""


def inject(kind: str, target: Target, drawn: random.Random) -> Injection:
    """Inject one fault; what is left open is drawn."""
    match kind:
        case "kill":
            return _kill(target, drawn)
        case "broker-emptied":
            target.empty_broker()
            return Injection("every message and the limiter's state are gone")
        case "broker-killed" if target.broker is not None:
            return _kill_server("the broker", target.broker, drawn)
        case "postgres-restarted":
            target.postgres.restart()
            return Injection("stopped and started; transactions under way are rolled back")
        case "postgres-killed":
            return _kill_server("PostgreSQL", target.postgres, drawn)
        case "postgres-read-only":
            target.forbid_writes(True)
            lasts_s = drawn.uniform(3, 8)
            detail = f"takes no writes for {lasts_s:.1f} s, as after a failover or with a full disk"
            return Injection(detail, lasts_s, partial(target.forbid_writes, False))
        case "llm-down" if "llm" in target.links:
            return _on_link("llm", "cut", target, drawn.uniform(3, 8))
        case "link-cut" | "link-delayed" | "link-half-open":
            link = drawn.choice(sorted(target.links))
            return _on_link(link, kind.removeprefix("link-"), target, drawn.uniform(2, 6))
    return Injection("")


def possible(kind: str, target: Target) -> bool:
    """Whether the target can be hurt in this way."""
    return {
        "broker-killed": target.broker is not None,
        "llm-down": "llm" in target.links,
    }.get(kind, True)


def _kill(target: Target, drawn: random.Random) -> Injection:
    pids = target.roles()
    names = sorted(pids)
    weights = [RECOGNITION_WEIGHT if name == "recognition" else 1.0 for name in names]
    (name,) = drawn.choices(names, weights)
    try:
        os.kill(pids[name], signal.SIGKILL)
    except ProcessLookupError:  # it is just being started again
        return Injection("it was dead already", whom=name)
    return Injection("kill -9", whom=name)


def _kill_server(name: str, server: Crashable, drawn: random.Random) -> Injection:
    """Away for long enough that whoever works meanwhile runs into it."""
    away_s = drawn.uniform(0.5, 3)
    server.kill(away_s=away_s)
    return Injection(f"kill -9 of {name}, started again after {away_s:.1f} s")


def _on_link(name: str, how: str, target: Target, lasts_s: float) -> Injection:
    link = target.links[name]
    match how:
        case "cut":
            link.cut()
        case "delayed":
            link.delay(0.2)
        case _:
            link.half_open()
    return Injection(f"its link {how} for {lasts_s:.1f} s", lasts_s, link.heal, name)
