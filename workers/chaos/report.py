"""What a run shows a person."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from workers.chaos.record import RunRecord

FAILURES = ("lost", "doubled", "wrong", "unsent")
"""Of which there must be none."""


def tables(record: RunRecord, summary: dict[str, Any]) -> list[Table]:
    """The faults by kind with the recovery from each, the counts, the waits, and the memory."""
    return [_faults(summary), _posts(record, summary), _waits(summary), _memory(summary["memory_mib"])]


def _faults(summary: dict[str, Any]) -> Table:
    table = Table("fault", "injected", "median recovery", "worst recovery", title="Faults")
    for kind, seen in {**summary["by_fault"], "all": summary}.items():
        recoveries = [f"{seen[name]:.1f} s" for name in ("median_recovery_s", "worst_recovery_s")]
        is_late = seen["worst_recovery_s"] > summary["recovery_limit_s"]
        table.add_row(kind, str(seen["faults"]), *recoveries, style="red" if is_late else "")
    table.caption = f"recovery is to be within {summary['recovery_limit_s']:.0f} s"
    return table


def _posts(record: RunRecord, summary: dict[str, Any]) -> Table:
    table = Table("what", "count", title="Posts")
    for name in ("accepted", "final", *FAILURES, "refused"):
        style = "red" if name in FAILURES and summary[name] else ""
        table.add_row(name, f"{summary[name]:,}", style=style)
    table.add_row("with recorded LLM replies", f"{summary['recorded_replies']:,}")
    table.add_row("with simulated LLM replies", f"{summary['simulated_replies']:,}")
    replayed = sum(e["replayed"] for d in record.carried.documents.values() for e in d["entities"])
    table.add_row("entities by such replies", f"{replayed:,}")
    return table


def _waits(summary: dict[str, Any]) -> Table:
    table = Table("from first sent until final", "wait", title="Waits")
    for name, of in (("median", "median"), ("99 of 100 posts, at most", "p99"), ("worst", "worst")):
        table.add_row(name, f"{summary[f'{of}_wait_s']:.1f} s")
    return table


def _memory(memory: dict[str, Any]) -> Table:
    table = Table("memory (PSS)", "MiB", title="Memory")
    for name, used in memory["peak_by_role"].items():
        table.add_row(f"{name}, at most", f"{used:,}")
    table.add_row("all, at most", f"{memory['peak']:,}")
    table.add_row("all, median of the second quarter of the run", f"{memory['second_quarter']:,}")
    table.add_row("all, median of its last quarter", f"{memory['last_quarter']:,}")
    return table
