"""How much memory processes take, with all that they started."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path


def pss_mib(roots: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """The memory of each named group of processes and their descendants, in MiB.

    PSS (proportional set size) shares out pages that several processes map, so the figures add up. A process
    that ends meanwhile counts as nothing.
    """
    return {name: sum(mib(member, "Pss") for member in found) for name, found in families(roots).items()}


def families(roots: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The process ids of each named group with all of their descendants."""
    children = _children()
    return {
        name: [member for pid in pids for member in _family(pid, children)] for name, pids in roots.items()
    }


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found[parent].append(int(process.name))
    return found


def _family(pid: int, children: Mapping[int, Sequence[int]]) -> list[int]:
    return [pid, *(member for child in children.get(pid, ()) for member in _family(child, children))]


def mib(pid: int, kind: str) -> float:
    """One process's memory of a kind of /proc/PID/smaps_rollup ("Pss", "Rss"); 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{kind}:")) / 1024
