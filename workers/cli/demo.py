"""`linkner demo`: the main job on a stack of its own, which is gone afterwards."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.options import AsJson

if TYPE_CHECKING:
    from broker.settings import Settings
    from workers.stack.stack import Shape

_DATA = Path(__file__).parent.parent / "demo"
_REPLAYS_PER_MINUTE = 6000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    input: Annotated[
        Path | None, typer.Option(help="Posts, JSONL or JSONL.gz. [default: the demo's own]")
    ] = None,
    replies: Annotated[Path | None, typer.Option(help="Recorded LLM replies on these posts, JSONL.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first N posts.")] = None,
    show: Annotated[int, typer.Option(min=0, help="Print at most N posts with their entities.")] = 120,
    model: Annotated[Path | None, typer.Option(help="Checkpoint folder. [default: the one shipped]")] = None,
    callers: Annotated[int, typer.Option(min=1, help="LLM caller processes.")] = 1,
    timeout: Annotated[float, typer.Option(min=1, help="Give up after this many seconds.")] = 1800,
    as_json: AsJson = False,
) -> None:
    """Carry posts through a whole stack: gateway, queues, local model, LLM callers, joined entities.

    Starts PostgreSQL, Redis and every process in a temporary folder, and stops them at the end. Without
    `--input` it takes some 100 posts written for the project. LLM replies are replayed from a recording
    (`--replies`) and marked so; with LINKNER_LLM_BASE_URL set and no recording, that endpoint is asked; with
    neither, documents finish with the local model's labels.

    The last line is one JSON object. The exit code is 1 where a post was lost, doubled or has wrong offsets.

    Example: linkner demo --input posts.jsonl --replies replies.jsonl --limit 500
    """
    from rich.console import Console

    from broker.settings import load_settings
    from linkner.json_lines import read_lines
    from workers.api_client import GatewayClient
    from workers.cli.progress import Steps
    from workers.demo.carry import carry
    from workers.demo.report import show as show_outcome
    from workers.stack.stack import running_stack

    if input is None:
        input, replies = _DATA / "posts.jsonl", replies or _DATA / "replies.jsonl"
    lines = list(read_lines(input, limit=limit))
    settings = _own_stack(load_settings(), replayed=replies is not None)
    with (
        tempfile.TemporaryDirectory(prefix="linkner-", ignore_cleanup_errors=True) as folder,
        Steps(quiet=as_json) as steps,
    ):
        shape = _shape(posts=input, replies=replies, model=model, callers=callers)
        steps.say(_about_the_llm(settings, replies=replies))
        with running_stack(settings, folder=Path(folder), shape=shape, report=steps.say) as stack:
            steps.expect("submitted", len(lines))
            steps.expect("final", len(lines))
            outcome = carry(GatewayClient(stack.gateway_url), lines, progress=steps.at, timeout_s=timeout)
            steps.say("stopping the processes")
    if not as_json:
        show_outcome(Console(), outcome, posts=show)
    typer.echo(json.dumps(outcome.to_json()))
    raise typer.Exit(0 if outcome.ok else 1)


def _own_stack(settings: Settings, *, replayed: bool) -> Settings:
    """Settings for servers of its own, whatever the environment names: a demo must not write into those.

    Replayed answers cost nothing, so the limit on LLM calls is raised for them unless it was chosen.
    """
    update: dict[str, object] = {"postgres_url": "", "redis_url": "", "broker_url": "", "gateway_keys": "off"}
    if replayed and "llm_requests_per_minute" not in settings.model_fields_set:
        update["llm_requests_per_minute"] = _REPLAYS_PER_MINUTE
    return settings.model_copy(update=update)


def _shape(*, posts: Path, replies: Path | None, model: Path | None, callers: int) -> Shape:
    from workers.stack.stack import Shape

    return Shape(
        llm_callers=callers,
        model=model,
        replay=(posts.resolve(), replies.resolve()) if replies else None,
        replay_options=("--latency-median-s", "0.2", "--latency-p99-s", "1.0"),
    )


def _about_the_llm(settings: Settings, *, replies: Path | None) -> str:
    if replies:
        return f"LLM answers are replayed from {replies.name}: no LLM is asked"
    if settings.has_llm:
        return f"LLM answers come from {settings.llm_endpoints or settings.llm_base_url}"
    return "no LLM is configured: documents finish with the local model's labels"
