"""What is wrong with the system, as far as it can be seen from the gateway, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from workers.gateway.looks import Looks, seen
from workers.gateway.wire import Finding, Kind, LlmStatus
from workers.ports import Backlog, Stage

DUE_S = 30.0
"""How long something may be due and in no message: the relay looks every second."""
PUBLISHED_S = 60.0
"""How long something may wait in a message: queues are so short that workers empty them within seconds."""
BATCH_DUE_S = 3600.0
"""How long a question may wait for a batch: the batcher fills one up for minutes."""
TROUBLE_S = 60.0
"""How long ago a stage's last trouble may be and still count: one that lasts is noted every few seconds."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_OK = ("ok", "unused")
_WORK: Mapping[Stage, str] = {"recognise": "documents", "classify": "questions", "aggregate": "documents"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What findings are made of. `broker` and `llm_limits` are `ok`, `unused`, or why nothing is seen of
    them; `depths` and `llm` are empty then."""

    backlog: Backlog
    broker: str
    depths: Mapping[str, int]
    llm_limits: str
    llm: Sequence[LlmStatus]
    high_water: int

    @property
    def llm_is_asked(self) -> bool:
        """Whether some endpoint may be asked, as far as is known."""
        if not self.llm:
            return self.llm_limits in _OK
        return any(one.breaker == "closed" and not one.money_is_spent for one in self.llm)

    def trouble(self, stage: str, *, within_s: float = TROUBLE_S) -> str | None:
        """What the stage ran into last, if that was within these seconds."""
        found = (one for one in self.backlog.troubles if one.stage == stage and one.age_s <= within_s)
        return next((one.error for one in found), None)


def look_for_findings(looks: Looks, *, high_water: int) -> list[Finding]:
    """What is wrong now, causes before effects. Raises UnavailableError where the store cannot be reached."""
    broker, depths = seen(looks.queues, otherwise={})
    limits, llm = seen(looks.llm, otherwise=[])
    return findings(
        Sight(
            backlog=looks.backlog(),
            broker=broker,
            depths=depths,
            llm_limits=limits,
            llm=llm,
            high_water=high_water,
        )
    )


def findings(sight: Sight) -> list[Finding]:
    """What is wrong, causes before effects."""
    return [
        *_neighbours(sight),
        *_endpoints(sight),
        *_troubles(sight),
        *_standstills(sight),
        *_left_over(sight),
    ]


def _neighbours(sight: Sight) -> Iterator[Finding]:
    if sight.broker not in _OK:
        yield Finding("broker", sight.broker, "nothing moves between stages until it is back")
    if sight.llm_limits not in _OK:
        yield Finding("llm-limits", sight.llm_limits, "no question is asked until they can be")


def _endpoints(sight: Sight) -> Iterator[Finding]:
    for one in sight.llm:
        name = f"{one.model} at {one.endpoint}"
        if one.breaker != "closed":
            last = sight.trouble("llm", within_s=math.inf)  # while nobody asks it, there is no later one
            hint = last or "the LLM callers' logs say how"
            yield Finding("llm", f"{name} is not asked, since its calls fail", hint)
        if one.money_is_spent:
            yield Finding("money", f"the money for {name} is spent", "`linkner limits show` says until when")


def _troubles(sight: Sight) -> Iterator[Finding]:
    """What the processes themselves say that they run into."""
    for kind in KINDS:
        if kind != "llm" and (error := sight.trouble(kind)):
            yield Finding(kind, error, f"{_process(kind)} waits, and tries it again")


def _standstills(sight: Sight) -> Iterator[Finding]:
    """Work that nobody takes up: no wonder while the broker is away, nor where questions have no LLM."""
    if sight.broker not in _OK:
        return
    for stage, what in _WORK.items():
        if (stage == "classify" and not sight.llm_is_asked) or sight.trouble(stage):
            continue
        wait, depth = sight.backlog.waits[stage], sight.depths.get(stage, 0)
        if not depth and wait.due_s > DUE_S and not sight.trouble("relay"):
            problem = f"{what} have been due for `{stage}` for {wait.due_s:.0f} s, and its queue is empty"
            yield Finding("relay", problem, "is `linkner relay` running?")
        if stage == "classify" and sight.backlog.questions.get("claimed"):
            continue  # they are taken up, as slowly as the limits make it
        if wait.published_s > PUBLISHED_S:
            yield _not_taken_up(stage, what, seconds=wait.published_s, depth=depth)
    if sight.backlog.batch_due_s > BATCH_DUE_S and not sight.trouble("batcher"):
        minutes = sight.backlog.batch_due_s / 60
        yield Finding(
            "batcher",
            f"questions have waited {minutes:.0f} minutes for a batch",
            "is `linkner batcher` running, and is there money left?",
        )


def _not_taken_up(stage: Stage, what: str, *, seconds: float, depth: int) -> Finding:
    if depth:
        problem = f"{what} have waited {seconds:.0f} s in the queue `{stage}`"
        return Finding(
            stage, problem, f"is {_process(stage)} running? If it is, it hangs, or more are needed"
        )
    problem = f"{what} were taken from the queue `{stage}` {seconds:.0f} s ago, and not heard of since"
    return Finding(stage, problem, f"{_process(stage)} died with them (they come again) or hangs")


def _process(kind: str) -> str:
    return f"`linkner {kind}`" if kind in {"relay", "batcher"} else f"`linkner worker {kind}`"


def _left_over(sight: Sight) -> Iterator[Finding]:
    backlog = sight.backlog
    if backlog.unfinished > sight.high_water:
        problem = f"no more posts are taken: {backlog.unfinished:,} are under way"
        hint = f"producers are told 429 above {sight.high_water:,} (LINKNER_HIGH_WATER)"
        yield Finding("full", problem, hint)
    if dead := sum(backlog.dead_documents.values()):
        problem = f"{dead:,} documents ended without a result"
        yield Finding("dead", problem, "`linkner dead list` says why; replay or drop them")
    if backlog.parked:
        problem = f"{backlog.parked:,} messages could not be used by any worker"
        yield Finding("parked", problem, "`linkner dead list` shows them; replay or drop them")
