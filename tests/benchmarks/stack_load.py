"""Memory and CPU time of every role of a stack under load, and of the stack as a whole.

Run: python -m tests.benchmarks.stack_load [--posts N] [--input POSTS --replies REPLIES]

PSS (proportional set size) shares out pages that several processes map, so it can be added up; RSS cannot.
CPU time is what the posts took, from the first one sent to the last one final: the roles' start is not in it.
Every process is counted with its descendants (Ray starts several). LLM answers are replayed, and simulated
for posts without a recorded reply; without --input the demo's posts come round again, and their answers are
looked up from the second time on.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.settings import load_settings
from linkner.json_lines import read_lines
from tests.support.posts import REPLIES, lines
from workers.api_client import GatewayClient
from workers.chaos.replies import write_replies
from workers.demo.carry import Outcome, carry
from workers.stack.memory import families, mib, pss_mib
from workers.stack.stack import Shape, Stack, running_stack

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """What a stack took, by role: CPU time in seconds, memory in MiB (RSS: of the role's first process)."""

    outcome: Outcome
    cpu_s: Mapping[str, float]
    pss_mib: Mapping[str, float]
    rss_mib: Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--input", type=Path, help="a file of posts, plain or .gz; without it, the demo's")
    parser.add_argument("--replies", type=Path, default=REPLIES)
    asked = parser.parse_args()
    posts = list(read_lines(asked.input, limit=asked.posts)) if asked.input else lines(asked.posts)
    _print(measure(posts, recorded=asked.replies))


def measure(posts: Sequence[bytes], *, recorded: Path) -> Load:
    """Carry the posts through a stack of their own, with the recorded replies and simulated ones."""
    settings = load_settings().model_copy(update={"llm_requests_per_minute": 1_000_000})
    with (
        tempfile.TemporaryDirectory(prefix="linkner-", ignore_cleanup_errors=True) as folder,
        running_stack(settings, folder=Path(folder), shape=_shape(posts, recorded, folder)) as stack,
    ):
        roles = _roles(stack)
        before = _cpu_s(roles)
        outcome = carry(GatewayClient(stack.gateway_url), posts, progress=lambda *_: None, timeout_s=600)
        cpu = {role: used - before[role] for role, used in _cpu_s(roles).items()}
        rss = {role: mib(pids[0], "Rss") for role, pids in roles.items()}
        return Load(outcome, cpu_s=cpu, pss_mib=pss_mib(roles), rss_mib=rss)


def _shape(posts: Sequence[bytes], recorded: Path, folder: str) -> Shape:
    replies = write_replies(posts, read_lines(recorded), label="person", folder=Path(folder))
    return Shape(replay=(replies.posts, replies.replies), replay_options=("--latency-median-s", "0.3"))


def _roles(stack: Stack) -> dict[str, list[int]]:
    """The first process of each role; PostgreSQL and Redis are children of this one."""
    roles = {name: [pid] for name, pid in stack.supervisor.pids().items()}
    own = families({"own": [os.getpid()]})["own"]
    servers = {name: [pid for pid in own if name in _program(pid)] for name in ("postgres", "redis-server")}
    return roles | {name: pids[:1] for name, pids in servers.items()}


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _cpu_s(roles: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """The CPU time of each role so far, in seconds, with that of descendants that have ended."""
    return {role: sum(_ticks(pid) for pid in pids) / _TICKS for role, pids in families(roles).items()}


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])  # utime, stime, and both of children waited for


def _print(found: Load) -> None:
    """A row a role, those that took the most CPU first, and one JSON line."""
    print(f"{'role':14} {'CPU ms a post':>14} {'PSS MiB':>8} {'RSS MiB of its first process':>30}")
    each_ms = {role: 1000 * used / found.outcome.final for role, used in found.cpu_s.items()}
    for role, used in sorted(each_ms.items(), key=lambda item: -item[1]):
        print(f"{role:14} {used:14.2f} {found.pss_mib[role]:8.0f} {found.rss_mib[role]:30.0f}")
    whole = {
        **found.outcome.to_json(),
        "cpu_ms_per_post": {role: round(used, 3) for role, used in each_ms.items()},
        "cores_busy": round(sum(found.cpu_s.values()) / found.outcome.seconds, 2),
        "pss_mib": {role: round(used, 1) for role, used in found.pss_mib.items()},
        "total_pss_mib": round(sum(found.pss_mib.values())),
    }
    print(json.dumps(whole))


if __name__ == "__main__":
    main()
