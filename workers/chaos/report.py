"""What a run shows a person."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from workers.chaos.ledger import Ledger


def tables(ledger: Ledger, summary: dict[str, Any]) -> list[Table]:
    """The faults by kind with the worst recovery from each, and the counts."""
    faults = Table("fault", "injected", "worst recovery", title="Faults")
    for kind, count in summary["faults_by_kind"].items():
        faults.add_row(kind, str(count), f"{summary['worst_recovery_s'][kind]:.1f} s")
    counts = Table("what", "count", title="Posts")
    for name in ("accepted", "final", "lost", "doubled", "wrong", "refused"):
        style = "red" if name in {"lost", "doubled", "wrong"} and summary[name] else ""
        counts.add_row(name, f"{summary[name]:,}", style=style)
    replayed = sum(e["replayed"] for d in ledger.carried.documents.values() for e in d["entities"])
    counts.add_row("entities by replayed LLM answers", f"{replayed:,}")
    return [faults, counts]
