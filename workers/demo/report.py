"""What the demo shows a person: posts with their entities, and a table of counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from workers.demo.carry import Outcome

_COLOURS = {"local": "green", "llm": "cyan", "fallback": "yellow"}


def show(console: Console, outcome: Outcome, *, posts: int) -> None:
    """Print up to `posts` posts with their entities, then the counts."""
    documents = list(outcome.carried.documents.values())
    shown = sorted(documents, key=lambda document: document["id"])[:posts]
    if shown:
        console.print(posts_table(shown))
    if len(documents) > len(shown) > 0:
        console.print(f"… and {len(documents) - len(shown)} more posts")
    for refusal in outcome.submitted.refusals:
        console.print(f"[red]refused[/red] {refusal}")
    console.print(_counts(outcome))


def posts_table(documents: Iterable[dict[str, Any]]) -> Table:
    """A table of documents: the text with its entities highlighted, and who decided each."""
    table = Table(title="Posts and their entities", show_lines=False, expand=True)
    table.add_column("post", ratio=3)
    table.add_column("entities: label (decided by)", ratio=2)
    for document in documents:
        table.add_row(_highlighted(document), _decisions(document))
    return table


def _highlighted(document: dict[str, Any]) -> Text:
    text = Text(document["text"])
    for entity in document["entities"]:
        text.stylize(f"bold reverse {_COLOURS[entity['decided_by']]}", entity["start"], entity["end"])
    return text


def _decisions(document: dict[str, Any]) -> Text:
    lines = []
    for entity in document["entities"]:
        by = entity["decided_by"]
        note = f"{by}: {entity['reason']}" if entity["reason"] else by
        note += ", replayed" if entity["replayed"] else ""
        note += ", cached" if entity["cached"] else ""
        lines.append(
            Text.assemble(f"{entity['text']}: ", (entity["label"], "bold"), (f" ({note})", _COLOURS[by]))
        )
    return Text("\n").join(lines)


def _counts(outcome: Outcome) -> Table:
    summary = outcome.to_json()
    table = Table(title="Counts")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name in (
        "accepted",
        "duplicates",
        "rejected",
        "final",
        "lost",
        "doubled",
        "wrong_surface",
        "entities",
    ):
        table.add_row(name.replace("_", " "), f"{summary[name]:,}")
    for by, count in summary["decided_by"].items():
        table.add_row(f"  decided by {by}", f"{count:,}", style=_COLOURS[by])
    table.add_row("questions answered", f"{summary['questions']:,}")
    table.add_row("  of them replayed, not asked of an LLM", f"{summary['replayed']:,}")
    for reason, count in summary["unanswered"].items():
        table.add_row(f"  not answered: {reason}", f"{count:,}")
    table.add_row("seconds", f"{summary['seconds']:,.1f}")
    table.add_row("posts a second", f"{summary['posts_per_second']:,.1f}")
    return table
