"""The LLM callers at a simulated provider's limits: how much of them is used, and what is paid twice.

Real callers, relay, limiter, Redis and PostgreSQL; the provider is simulated, and its replies too. What is
printed is read off the provider's own ledger of calls.

make bench-llm
python -m tests.benchmarks.llm --part pace --part repeats --posts posts.jsonl.gz
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from linkner.json_lines import read_lines
from tests.benchmarks.llm.parts import PARTS, Plan
from tests.support.posts import POSTS


def main() -> None:
    """Run the parts, and print a table and one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=[*PARTS], help="only this one; may be repeated")
    parser.add_argument("--posts", type=Path, default=POSTS, help="JSON lines with text; may end in .gz")
    parser.add_argument("--limit", type=int, default=10_000, help="posts of the part `repeats`")
    parser.add_argument("--seconds", type=float, default=200.0, help="length of our run in the part `pace`")
    parser.add_argument("--outage-s", type=float, default=60.0, help="how long the provider is dead")
    arguments = parser.parse_args()
    texts = [str(json.loads(line)["text"]) for line in read_lines(arguments.posts, limit=arguments.limit)]
    plan = Plan(
        posts=[texts[number % len(texts)] for number in range(arguments.limit)],
        repeated=arguments.limit,
        ours_s=arguments.seconds,
        outage_s=arguments.outage_s,
    )
    progress = Console(stderr=True)
    found = {
        name: PARTS[name](plan, lambda text: progress.print(f"· {text}")) for name in arguments.part or PARTS
    }
    Console().print(_table(found))
    print(json.dumps({"provider": "simulated", **_first_of(found), "parts": found}))


def _first_of(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    pace, repeats = found.get("pace", {}), found.get("repeats", {})
    return {
        "utilisation": pace.get("utilisation"),
        "violations": sum(part.get("violations", 0) for part in found.values()),
        "calls": repeats.get("calls"),
        "distinct_questions": repeats.get("distinct_questions"),
    }


def _table(found: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="LLM callers at a simulated provider")
    for column in ("part", "what", "ours", "backing off", "celery rate_limit"):
        table.add_column(column, justify="left" if column in ("part", "what") else "right")
    for part, figures in found.items():
        others = figures.get("baselines", {})
        for name, value in figures.items():
            if name != "baselines":
                rest = (others.get(way, {}).get(name, "") for way in ("backing off", "celery rate_limit"))
                table.add_row(part, name, f"{value}", *(f"{one}" for one in rest))
    return table


if __name__ == "__main__":
    main()
