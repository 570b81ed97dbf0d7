"""`linkner simulate-llm`: an OpenAI-compatible endpoint that replays recorded replies."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class DownAs(StrEnum):
    """How a server that is down answers."""

    ERROR = "500"
    BUSY = "429"
    HANG = "hang"


class Quota(StrEnum):
    """What replies say of the limits."""

    NONE = "none"
    RETRY_AFTER = "retry-after"
    FULL = "full"
    WRONG = "wrong"


class Charge(StrEnum):
    """Which tokens count against the limit."""

    USED = "used"
    ASKED = "asked"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate-llm")(simulate_llm)


def simulate_llm(
    posts: Annotated[
        Path, typer.Option(help="Posts: JSON lines of id (or external_id) and text; may end in .gz.")
    ],
    replies: Annotated[
        Path,
        typer.Option(help="Replies: JSON lines of id and entities (start, end, text, type); may be .gz."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    latency_median_s: Annotated[float, typer.Option(min=0.0, help="Median latency of a call.")] = 0.0,
    latency_p99_s: Annotated[
        float, typer.Option(min=0.0, help="99th percentile of the log-normal latency; 0: always the median.")
    ] = 0.0,
    requests_per_minute: Annotated[
        int, typer.Option(min=0, help="Calls in any 60 s beyond which the answer is 429; 0: no limit.")
    ] = 0,
    tokens_per_minute: Annotated[int, typer.Option(min=0, help="The same for tokens (estimated).")] = 0,
    error_rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of calls answered 500.")] = 0.0,
    malformed_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share answered off the list or in broken JSON.")
    ] = 0.0,
    drip_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share whose reply comes byte by byte.")
    ] = 0.0,
    drip_s: Annotated[float, typer.Option(min=0.001, help="Seconds that a dripping reply takes.")] = 120.0,
    batch_s: Annotated[float, typer.Option(min=0.0, help="Seconds after which a batch ends.")] = 0.0,
    batch_expire_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of a batch's requests that are not done in time.")
    ] = 0.0,
    refuse_schemas: Annotated[
        bool,
        typer.Option("--refuse-schemas", help="Refuse requests for structured outputs, as some servers do."),
    ] = False,
    down_from_s: Annotated[
        float, typer.Option(min=0.0, help="Seconds after the start at which every call begins to fail.")
    ] = 0.0,
    down_for_s: Annotated[float, typer.Option(min=0.0, help="For how many seconds; 0: never.")] = 0.0,
    down_as: Annotated[
        DownAs, typer.Option(help="How: with a status, or without any answer.")
    ] = DownAs.ERROR,
    quota_headers: Annotated[
        Quota,
        typer.Option(
            help="What replies say of the limits: nothing, `retry-after` on a 429, that and all x-ratelimit "
            "headers, or nonsense."
        ),
    ] = Quota.RETRY_AFTER,
    charge: Annotated[
        Charge, typer.Option(help="Tokens that count: those `used`, or all that were `asked` for.")
    ] = Charge.USED,
    ledger: Annotated[
        Path | None, typer.Option(help="File for a line of JSON for each call; no text is written.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of latencies and faults.")] = 0,
) -> None:
    """Serve recorded LLM replies on an OpenAI-compatible endpoint; a post without one is refused.

    Prints one JSON line with `base_url` when it listens. Every reply says that it is a replay:
    `system_fingerprint` is `linkner-replay`. `GET /ledger` counts calls, faults and limit violations.

    Examples:

    linkner simulate-llm --posts posts.jsonl --replies replies.jsonl --port 8001

    linkner simulate-llm --posts posts.jsonl.gz --replies replies.jsonl --requests-per-minute 600
    --latency-median-s 0.4 --latency-p99-s 2 --error-rate 0.02 --malformed-rate 0.02 --drip-rate 0.01
    """
    from workers.simulate_llm.behaviour import Behaviour
    from workers.simulate_llm.recorded import RecordedReplies
    from workers.simulate_llm.server import ReplayServer, run

    behaviour = Behaviour(
        latency_median_s=latency_median_s,
        latency_p99_s=latency_p99_s,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        error_rate=error_rate,
        malformed_rate=malformed_rate,
        drip_rate=drip_rate,
        drip_s=drip_s,
        batch_s=batch_s,
        batch_expire_rate=batch_expire_rate,
        refuse_schemas=refuse_schemas,
        down_from_s=down_from_s,
        down_for_s=down_for_s,
        down_as=down_as.value,
        quota_headers=quota_headers.value,
        charge=charge.value,
        seed=seed,
    )
    recorded = RecordedReplies.load(posts=posts, replies=replies)
    replaying = ReplayServer(recorded, behaviour, ledger=ledger)
    try:
        run(
            replaying.app(),
            host=host,
            port=port,
            ready=lambda url: typer.echo(json.dumps({"base_url": url, "recorded": len(recorded.entities)})),
        )
    finally:
        replaying.log.close()
