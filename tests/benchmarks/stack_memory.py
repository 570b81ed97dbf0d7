"""Memory of every role of a stack under load, and of the stack as a whole.

Run: python -m tests.benchmarks.stack_memory [POSTS]

PSS (proportional set size) shares out pages that several processes map, so it can be added up; RSS cannot.
Every process is counted with its descendants (Ray starts several). LLM answers are replayed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from broker.settings import load_settings
from tests.support.posts import POSTS, REPLIES, lines
from workers.api_client import GatewayClient
from workers.demo.carry import carry
from workers.stack.memory import mib, pss_mib
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
        roles = {name: [pid] for name, pid in stack.supervisor.pids().items()}
        roles["postgres and redis"] = [pid for pid in _servers() if str(folder) in _command(pid)]
        pss = {name: round(used, 1) for name, used in pss_mib(roles).items()}
        rss = {name: mib(pids[0], "Rss") for name, pids in roles.items() if pids}
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


if __name__ == "__main__":
    main()
