"""Memory of every role of a stack under load, and of the stack as a whole.

Run: python -m tests.benchmarks.stack_memory [POSTS]

PSS (proportional set size) shares out pages that several processes map, so it can be added up; RSS cannot.
Every process is counted with its descendants (Ray starts several). LLM answers are replayed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from broker.settings import load_settings
from tests.support.posts import POSTS, REPLIES, lines
from workers.api_client import GatewayClient
from workers.demo.carry import carry
from workers.stack.stack import Shape, running_stack


def main() -> None:
    posts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    shape = Shape(replay=(POSTS, REPLIES), replay_options=("--latency-median-s", "0.3"))
    settings = load_settings().model_copy(update={"llm_requests_per_minute": 6000})
    with (
        tempfile.TemporaryDirectory(prefix="linkner-", ignore_cleanup_errors=True) as folder,
        running_stack(settings, folder=Path(folder), shape=shape) as stack,
    ):
        client = GatewayClient(stack.gateway_url)
        outcome = carry(client, lines(posts), progress=lambda *_: None, timeout_s=600)
        children = _children()
        roles = {name: _family(pid, children) for name, pid in stack.supervisor.pids().items()}
        servers = [pid for pid in _servers() if str(folder) in _command(pid)]
        roles["postgres and redis"] = [member for pid in servers for member in _family(pid, children)]
        pss = {name: sum(_mib(pid, "Pss") for pid in members) for name, members in roles.items()}
        rss = {name: _mib(members[0], "Rss") for name, members in roles.items() if members}
    print(f"{'role':20} {'PSS MiB':>8} {'RSS MiB of its first process':>30}")
    for name, used in sorted(pss.items(), key=lambda item: -item[1]):
        print(f"{name:20} {used:8.0f} {rss.get(name, 0):30.0f}")
    print(json.dumps({"posts": outcome.final, "total_pss_mib": round(sum(pss.values())), "pss_mib": pss}))


def _servers() -> list[int]:
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _command(int(process.name)).split("\0")[0].rpartition("/")[2] in ("postgres", "redis-server")
    ]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found[parent].append(int(process.name))
    return found


def _family(pid: int, children: dict[int, list[int]]) -> list[int]:
    return [pid, *(member for child in children.get(pid, []) for member in _family(child, children))]


def _mib(pid: int, kind: str) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    (kib,) = (int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{kind}:"))
    return round(kib / 1024, 1)


if __name__ == "__main__":
    main()
