"""One run: posts at a steady pace through a stack of its own, faults on schedule, then the check."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.queues import celery_app, declared_queues
from broker.settings import Settings
from linkner.errors import LinknerError
from linkner.labels import label_set
from workers.api_client import BATCH, GatewayClient
from workers.chaos.faults import Target, inject, possible
from workers.chaos.memory import MemoryWatch
from workers.chaos.proxy import proxying
from workers.chaos.record import Injected, RunRecord
from workers.chaos.replies import Replies, write_replies
from workers.chaos.schedule import Planned
from workers.chaos.servers import Servers, running_servers
from workers.clock import SystemClock
from workers.ports import Clock
from workers.stack.memory import pss_mib
from workers.stack.stack import Shape, Stack, free_port, replaying_llm, running_stack
from workers.stack.supervisor import Supervisor

QUICK = {
    "LINKNER_LLM_DEADLINE_S": "3",
    "LINKNER_LEASE_MARGIN_S": "1",
    "LINKNER_VISIBILITY_TIMEOUT_S": "6",
    "LINKNER_REPUBLISH_MARGIN_S": "1",
    "LINKNER_RECOGNISE_CHUNK": "16",
    "LINKNER_LLM_REQUESTS_PER_MINUTE": "60000",
    "LINKNER_HIGH_WATER": "2000",
}
"""Short time-outs: what is lost is missed sooner, so that a run of minutes shows what hours would. And a low
mark at which the gateway refuses posts: a backlog would hide how long a recovery takes."""

_MAY_TAKE_S = 60.0
"""How long a recovery may take besides the visibility timeout and a question's lease."""

_PATIENCE_S = 300.0
_MEMORY_EVERY_S = 5.0
_FEED_EVERY_S = 0.25

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does. `rabbitmq_url` empty means that Redis is the broker. Without `recorded`, lines of
    recorded LLM replies, no LLM is asked; posts that it says nothing of get simulated replies. A run gives up
    on what is not final after `grace_s` in which nothing became final."""

    lines: Sequence[bytes]
    faults: Sequence[Planned]
    seconds: float
    seed: int
    rabbitmq_url: str = ""
    recorded: Sequence[bytes] | None = None
    model: Path | None = None
    grace_s: float = 180.0


def run(plan: Plan, *, folder: Path, report: Report) -> tuple[RunRecord, dict[str, Any]]:
    """Carry the plan out; the record and its summary.

    `folder` is for the servers' data and the logs; its path must be short.

    Raises:
        LinknerError: the stack could not be started, or its gateway was away for too long.
    """
    with _stack(plan, folder=folder, report=report) as (stack, target, replies):
        record = RunRecord(clock=time.monotonic)
        memory = MemoryWatch(lambda: pss_mib(target.pids()))
        ended = threading.Event()
        with ThreadPoolExecutor() as threads:
            try:
                watching = [
                    threads.submit(_follow, stack.gateway_url, record, ended),
                    threads.submit(memory.run, ended, every_s=_MEMORY_EVERY_S),
                ]
                producing = threads.submit(_produce, stack.gateway_url, plan, record, ended)
                began = time.monotonic()
                report(f"{len(plan.lines):,} posts and {len(plan.faults)} faults in {plan.seconds:.0f} s")
                _inject_all(plan, target, record, report=report)
                report("the faults are over; waiting for everything accepted to be final")
                wait_until_final(
                    record,
                    sending=lambda: not producing.done(),
                    clock=SystemClock(),
                    patience_s=plan.grace_s,
                )
                took_s = time.monotonic() - began
            finally:
                ended.set()
            for watched in (producing, *watching):
                watched.result(_PATIENCE_S)
        missing = missing_from_feed(GatewayClient(stack.gateway_url), record)
    return record, {
        **record.summary(missing_from_feed=missing),
        "recovery_limit_s": _recovery_limit_s(),
        "recorded_replies": replies.recorded if replies else 0,
        "simulated_replies": replies.simulated if replies else 0,
        "memory_mib": memory.summary(),
        "unsent": len(plan.lines) - record.sent,
        "seed": plan.seed,
        "seconds": round(took_s, 1),
    }


def _recovery_limit_s() -> float:
    """What the settings promise at the most: the visibility timeout, a question's lease, and a minute."""
    quick = {name.removeprefix("LINKNER_").lower(): value for name, value in QUICK.items()}
    settings = Settings.model_validate(quick)
    lease_s = settings.lease_s(deadline_s=settings.llm_deadline_s)
    return settings.visibility_timeout_s + lease_s + _MAY_TAKE_S


@contextmanager
def _stack(plan: Plan, *, folder: Path, report: Report) -> Iterator[tuple[Stack, Target, Replies | None]]:
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers(folder))
        links = dict(servers.links)
        settings = Settings(
            postgres_url=servers.postgres_url,
            redis_url=servers.redis_url,
            broker_url=plan.rabbitmq_url,
            key_prefix=f"chaos-{plan.seed}-{free_port()}:",
            gateway_keys="off",
            llm_base_url="",
            llm_endpoints="",
        )
        processes, replies = [], None
        if plan.recorded is not None:
            replies = write_replies(
                plan.lines,
                plan.recorded,
                label=label_set(settings.label_set).labels[0],
                folder=_made(folder / "llm"),
            )
            port = free_port()
            llm = Supervisor(folder=folder / "llm", env={})
            stack.callback(llm.stop)
            files = (replies.posts, replies.replies)
            llm.start([replaying_llm(port, files, options=("--latency-median-s", "0.05"))])
            llm.wait_until_ready(within_s=60)
            links["llm"] = stack.enter_context(proxying(("127.0.0.1", port)))
            settings = settings.model_copy(
                update={"llm_base_url": f"http://127.0.0.1:{links['llm'].port}/v1"}
            )
            processes.append(llm)
        shape = Shape(model=plan.model, environment={**QUICK, "LINKNER_KEY_PREFIX": settings.key_prefix})
        running = stack.enter_context(
            running_stack(settings, folder=folder / "stack", shape=shape, report=report)
        )
        if plan.rabbitmq_url:
            stack.callback(_on_each_queue, settings, "delete")
        yield running, _target(plan, servers, settings, links, [running.supervisor, *processes]), replies


def _target(
    plan: Plan, servers: Servers, settings: Settings, links: dict[str, Any], processes: Sequence[Supervisor]
) -> Target:
    def empty_broker() -> None:
        servers.empty_redis()
        if plan.rabbitmq_url:
            _on_each_queue(settings, "purge")

    return Target(
        processes=processes,
        postgres=servers.postgres,
        redis=servers.redis,
        broker=None if plan.rabbitmq_url else servers.redis,
        empty_broker=empty_broker,
        forbid_writes=servers.forbid_writes,
        links=links,
    )


def _on_each_queue(settings: Settings, action: str) -> None:
    with celery_app(settings).connection_for_write() as connection:
        for queue in declared_queues(settings).values():
            bound = queue(connection.default_channel)
            bound.declare()
            getattr(bound, action)()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _produce(url: str, plan: Plan, record: RunRecord, ended: threading.Event) -> None:
    """Submit the posts evenly over the run, in batches of what a second brings; less where it `ended`."""
    client = GatewayClient(url, patience_s=_PATIENCE_S)
    batch = min(max(round(len(plan.lines) / plan.seconds), 1), BATCH)
    began = time.monotonic()
    for start in range(0, len(plan.lines), batch):
        due = began + plan.seconds * start / len(plan.lines)
        if ended.wait(max(due - time.monotonic(), 0.0)):
            return
        lines = plan.lines[start : start + batch]
        texts = [str(json.loads(line)["text"]) for line in lines]
        sent_at = time.monotonic()
        record.submitted(client.submit_items(lines), texts, sent_at=sent_at)


def _follow(url: str, record: RunRecord, ended: threading.Event) -> None:
    """Read the feed until everything has been waited for, and once more after that."""
    pages = GatewayClient(url, patience_s=_PATIENCE_S).follow()
    while True:
        last = ended.is_set()
        items = next(pages)
        record.read(items)
        if last and not items:
            return
        if not items:
            ended.wait(_FEED_EVERY_S)


def _inject_all(plan: Plan, target: Target, record: RunRecord, *, report: Report) -> None:
    """What lasts goes on while the next faults come; all of it is healed in the end."""
    drawn = random.Random(plan.seed)
    began = time.monotonic()
    healers: list[threading.Timer] = []
    for planned in plan.faults:
        if not possible(planned.kind, target):
            continue
        time.sleep(max(began + planned.at_s - time.monotonic(), 0.0))
        at = time.monotonic()
        injection = inject(planned.kind, target, drawn)
        if injection.heal is not None:
            healers.append(threading.Timer(injection.lasts_s, injection.heal))
            healers[-1].start()
        kind = f"{planned.kind} {injection.whom}".strip()
        record.faults.append(Injected(kind, injection.detail, at=at))
        report(f"{at - began:6.1f} s  {kind}: {injection.detail}")
    time.sleep(max(began + plan.seconds - time.monotonic(), 0.0))
    for healer in healers:
        healer.join()


def wait_until_final(
    record: RunRecord, *, sending: Callable[[], bool], clock: Clock, patience_s: float
) -> None:
    """Until all was sent and is final, or nothing was sent or became final for `patience_s`.

    A backlog is not a loss, however long it takes, as long as it shrinks.
    """
    seen, give_up = record.progress, clock.monotonic() + patience_s
    while (sending() or record.waiting) and clock.monotonic() < give_up:
        clock.sleep(0.2)
        if record.progress != seen:
            seen, give_up = record.progress, clock.monotonic() + patience_s


def missing_from_feed(client: GatewayClient, record: RunRecord) -> int:
    """How many documents the feed has, up to where it was followed, that following it did not show."""
    try:
        missed: set[int] = set()
        for items in client.follow():
            passed = [item for item in items if item["cursor"] <= record.cursor]
            missed |= {item["document"]["id"] for item in passed} - record.final_at.keys()
            if not items or len(passed) < len(items):
                return len(missed)
    except LinknerError:
        return len(record.accepted)
    return 0
