"""`submit`, `results` and `status`: what a client does with a running stack."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkner.errors import InputError
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from workers.api_client import GatewayClient

Url = Annotated[
    str, typer.Option(help="Gateway. [default: LINKNER_GATEWAY_URL, else the running `linkner up`]")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(submit)
    app.command()(results)
    app.command()(status)


def submit(
    file: Annotated[Path, typer.Argument(help="JSONL of posts (.gz or not), or - for standard input.")],
    url: Url = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first N posts.")] = None,
    as_json: AsJson = False,
) -> None:
    """Submit posts: one JSON object a line with `external_id` (or `id`), `source` and `text`.

    Submitting again what is there changes nothing and is counted as duplicates. Posts that cannot be used are
    listed with the reason, and so are conflicts: another text is there under the same source and id, and is
    kept. The others are accepted, and the exit code is 1.

    Example: linkner submit posts.jsonl
    """
    from linkner.json_lines import read_lines
    from workers.cli.progress import Steps

    if str(file) == "-":
        lines: Iterable[bytes] = _first(limit, sys.stdin.buffer)
    else:
        lines = list(read_lines(file, limit=limit))
    total = 0

    with Steps(quiet=as_json) as steps:
        if isinstance(lines, list):
            steps.expect("submitted", len(lines))

        def told(count: int) -> None:
            nonlocal total
            total += count
            if isinstance(lines, list):
                steps.at("submitted", total)

        submitted = _client(url).submit(lines, told=told)
    summary = {
        "accepted": submitted.accepted,
        "duplicates": submitted.duplicates,
        "conflicts": submitted.conflicts,
        "rejected": submitted.rejected,
    }
    if as_json:
        typer.echo(json.dumps({**summary, "refusals": submitted.refusals}))
    else:
        for refusal in submitted.refusals:
            typer.echo(f"refused {refusal}", err=True)
        typer.echo("  ".join(f"{name} {count:,}" for name, count in summary.items()))
    raise typer.Exit(1 if submitted.rejected or submitted.conflicts else 0)


def results(
    url: Url = "",
    after: Annotated[int, typer.Option(min=0, help="Cursor to go on from.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most N documents.")] = 100,
    source: Annotated[str, typer.Option(help="With --id: the one document of this source.")] = "",
    id: Annotated[str, typer.Option(help="With --source: the document of this external id.")] = "",
    follow: Annotated[bool, typer.Option(help="Wait for more until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show finished documents with their entities, in the order in which they were finished.

    With --json a document that was shown before and has been erased is a line {"id": 7, "erased": true}.

    Examples: `linkner results --json > entities.jsonl`; `linkner results --source twitter --id 42`
    """
    from rich.console import Console

    from workers.demo.report import posts_table

    if bool(source) != bool(id):
        raise InputError("--source and --id go together", got="one of them")
    client = _client(url)
    if source and id:
        pages: Iterator[list[dict[str, Any]]] = iter([[client.document(source=source, external_id=id)]])
    else:
        pages = _pages(client, after=after, limit=limit, follow=follow)
    for documents in pages:
        if as_json:
            for document in documents:
                typer.echo(json.dumps(document, ensure_ascii=False))
        elif shown := [document for document in documents if "erased" not in document]:
            Console().print(posts_table(shown))


def status(
    url: Url = "",
    check: Annotated[
        bool, typer.Option("--check", help="Tell only what is wrong; exit with 1 where there is something.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One look at the whole system: what is wrong, then documents, questions, decisions and queues.

    Examples: `linkner status --json | jq .queues`; `linkner status --check` for a monitor.
    """
    from rich.console import Console

    client = _client(url, patience_s=2.0)
    found: dict[str, Any] = {"findings": client.findings()} if check else client.status()
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for line in _finding_lines(found.get("findings")):
            Console(highlight=False).print(line)
        if not check:
            Console().print(_status_table(found))
    raise typer.Exit(1 if check and found["findings"] else 0)


def _first(limit: int | None, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines up to the last post wanted. Blank ones are no posts, but stay: refusals number the lines."""
    posts = 0
    for line in lines:
        yield line
        posts += bool(line.strip())
        if posts == limit:
            return


def _pages(client: GatewayClient, *, after: int, limit: int, follow: bool) -> Iterator[list[dict[str, Any]]]:
    left = limit
    while follow or left > 0:
        page = client.feed_page(after=after, limit=min(left, 1000) if not follow else 1000)
        items, after, came_from = page["items"], page["next"], after
        if after == came_from and not follow:
            return
        yield [item["document"] for item in items]
        yield [{"id": gone["id"], "erased": True} for gone in page["erased"]]
        left -= len(items)
        if after == came_from:
            time.sleep(0.5)


def _finding_lines(findings: list[dict[str, str]] | None) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    if findings is None:
        yield Text("this gateway is of a version that does not say what is wrong", style="yellow")
        return
    if not findings:
        yield Text("nothing is wrong that can be seen from the gateway", style="green")
    for one in findings:
        yield Text(f"{one['kind']}: {one['problem']}", style="bold red")
        yield Padding(Text(one["hint"]), (0, 0, 0, 2))


def _status_table(found: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title="LinkNER")
    table.add_column("what")
    table.add_column("state")
    table.add_column("count", justify="right")
    sections = {
        "documents": found["documents"],
        "questions": found["questions"],
        "not answered": found["dead_reasons"],
        "not recognised": found["dead_documents"],
        "entities decided by": found["decided_by"],
        "messages waiting": found["queues"],
    }
    for name, counts in sections.items():
        for state, count in counts.items():
            table.add_row(name, state, f"{count:,}")
        table.add_section()
    if found["broker"] not in {"ok", "unused"}:
        table.add_row("messages waiting", found["broker"], "?", style="red", end_section=True)
    for row in _llm_rows(found):
        table.add_row(*row)
    table.add_section()
    table.add_row("messages parked", "", f"{found['parked']:,}")
    table.add_row("answers replayed", "", f"{found['replayed']:,}")
    table.add_row("answers from the cache", "", f"{found['cached']:,}")
    table.add_row("oldest unfinished", "", f"{found['oldest_unfinished_s']:,.0f} s")
    return table


def _llm_rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """How each LLM endpoint is, the calls that it has in hand, and what it cost today."""
    if found["llm_limits"] not in {"ok", "unused"}:
        yield "LLM", found["llm_limits"], "?"
    for one in found["llm"]:
        name = f"{one['model']} at {one['endpoint']}"
        if one["breaker"] == "open":
            yield "LLM down", f"{name}: not asked for {one['open_s']:.0f} s more", ""
        elif one["breaker"] == "probing":
            yield "LLM down", f"{name}: asked once, to see whether it answers", ""
        if one["money_is_spent"]:
            yield "LLM out of money", name, ""
        yield "LLM calls in flight", name, f"{one['in_flight']:,}"
        yield "LLM money today", name, f"{one['spent_day']:,.4f}"


def _client(url: str, *, patience_s: float = 30.0) -> GatewayClient:
    from broker.settings import load_settings
    from workers.api_client import GatewayClient
    from workers.cli.state import gateway_url

    api_key = load_settings().api_key.get_secret_value()
    return GatewayClient(gateway_url(url), api_key=api_key, patience_s=patience_s)
