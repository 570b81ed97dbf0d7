"""`linkner chaos`: faults injected into a stack of its own, and the check that nothing was lost."""

from __future__ import annotations

import json
import os
import tempfile
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkner.errors import ConfigurationError
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.chaos.schedule import Planned

_DATA = Path(__file__).parent.parent / "demo"
_RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"
_POSTS_A_SECOND = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chaos)


def chaos(
    input: Annotated[
        Path | None, typer.Option(help="Posts, JSONL or JSONL.gz. [default: the demo's own, over and over]")
    ] = None,
    replies: Annotated[Path | None, typer.Option(help="Recorded LLM replies on these posts, JSONL.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take N posts. [default: all of the input, or 5 a second]")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long posts and faults come.")] = 2.0,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two kill -9 of some role.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of the faults: equal seeds, equal faults.")] = 0,
    broker: Annotated[
        str, typer.Option(help="redis, or rabbitmq (LINKNER_BROKER_URL, else localhost).")
    ] = "redis",
    faults: Annotated[
        list[str] | None, typer.Option(help="Only these kinds; may be repeated. [default: all]")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Checkpoint folder. [default: the one shipped]")] = None,
    as_json: AsJson = False,
) -> None:
    """Kill, cut off and empty the parts of a stack while posts go through it; say whether any was lost.

    Kinds of faults: kill (-9 of a random role), broker-emptied, broker-killed, postgres-restarted,
    postgres-killed, postgres-read-only, llm-down, link-cut, link-delayed, link-half-open. LLM replies are
    replayed from a recording, for posts without one they are simulated, and all are marked as replayed;
    time-outs are short, so that what is lost is missed sooner. A recovery is the longest that any
    post sent before the next fault has waited, since the fault began, for being final; one that takes
    longer than the settings promise is shown in red.

    The last line is one JSON object. The exit code is 1 where a post was lost, doubled, came out
    wrong, or could not be sent.

    Examples:

    linkner chaos --minutes 10 --seed 7 --broker rabbitmq

    linkner chaos --input posts.jsonl.gz --replies replies.jsonl --limit 20000 --minutes 5
    """
    from rich.console import Console

    from linkner.json_lines import read_lines
    from workers.chaos.report import FAILURES, tables
    from workers.chaos.run import Plan, run
    from workers.cli.progress import Steps

    if input is None:
        input, replies = _DATA / "posts.jsonl", replies or _DATA / "replies.jsonl"
        lines = list(
            islice(_endless(list(read_lines(input))), limit or round(minutes * 60 * _POSTS_A_SECOND))
        )
    else:
        lines = list(read_lines(input, limit=limit))
    with (
        tempfile.TemporaryDirectory(prefix="linkner-", ignore_cleanup_errors=True) as folder,
        Steps(quiet=as_json) as steps,
    ):
        plan = Plan(
            lines=lines,
            faults=_faults(seed=seed, seconds=minutes * 60, kill_every_s=every, kinds=faults),
            seconds=minutes * 60,
            seed=seed,
            rabbitmq_url=_rabbitmq(broker),
            recorded=list(read_lines(replies)) if replies else None,
            model=model,
        )
        record, summary = run(plan, folder=Path(folder), report=steps.say)
    if not as_json:
        for table in tables(record, summary):
            Console().print(table)
    typer.echo(json.dumps({**summary, "broker": broker}))
    raise typer.Exit(1 if any(summary[name] for name in FAILURES) else 0)


def _endless(lines: list[bytes]) -> Iterator[bytes]:
    """The lines over and over, each time with other external ids."""
    for turn in count():
        for line in lines:
            post = json.loads(line)
            yield json.dumps({**post, "external_id": f"{post['external_id']}-{turn}"}).encode()


def _faults(*, seed: int, seconds: float, kill_every_s: float, kinds: list[str] | None) -> list[Planned]:
    from workers.chaos.schedule import KILL, RARE, schedule

    unknown = set(kinds or ()) - {KILL, *RARE}
    if unknown:
        raise ConfigurationError(
            "unknown fault", expected=", ".join([KILL, *RARE]), got=", ".join(sorted(unknown))
        )
    planned = schedule(seed=seed, seconds=seconds, kill_every_s=kill_every_s)
    return [fault for fault in planned if kinds is None or fault.kind in kinds]


def _rabbitmq(broker: str) -> str:
    if broker not in {"redis", "rabbitmq"}:
        raise ConfigurationError("unknown broker", expected="redis or rabbitmq", got=broker)
    if broker == "redis":
        return ""
    given = os.environ.get("LINKNER_BROKER_URL", "")
    return given if given.startswith("amqp") else _RABBITMQ
