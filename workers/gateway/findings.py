"""What is wrong with the system, as far as it can be seen from the gateway, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from broker.settings import Settings
from workers.gateway.looks import Looks, seen
from workers.gateway.wire import Finding, Kind, LlmStatus
from workers.ports import Backlog, Stage, of_llm

LLM_TROUBLE_S = 900.0
"""How long ago an endpoint's last trouble may be: while it is not asked, which may take ten minutes, there is
no later one."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_TELLING: tuple[Kind, ...] = ("ingest", "recognise", "classify", "aggregate", "relay", "batcher")
_OK = ("ok", "unused")
_WORK: Mapping[Stage, str] = {"recognise": "documents", "classify": "questions", "aggregate": "documents"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """From when on it is wrong that something waits, in seconds; `high_water` is a number of documents.

    `due_s`: due and in no message, while the relay looks every second. `published_s`: in a message, while
    queues are so short that workers empty them within seconds. `batch_due_s`: not in a batch. `trouble_s`:
    how long ago a stage's last trouble may be, while one that lasts is noted again and again.
    """

    due_s: float
    published_s: float
    batch_due_s: float
    trouble_s: float
    high_water: int

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        return cls(
            due_s=30.0,
            published_s=max(60.0, 2 * settings.recognise_timeout_s),
            batch_due_s=settings.batch_after_s + 3_600.0,
            trouble_s=max(60.0, 2 * settings.batch_poll_s),
            high_water=settings.high_water,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What findings are made of. `broker` and `llm_limits` are `ok`, `unused`, or why nothing is seen of
    them; `depths` and `llm` are empty then."""

    backlog: Backlog
    broker: str
    depths: Mapping[str, int]
    llm_limits: str
    llm: Sequence[LlmStatus]
    bounds: Bounds

    @property
    def llm_is_asked(self) -> bool:
        """Whether some endpoint may be asked, as far as is known. One without money still ends questions."""
        if not self.llm:
            return self.llm_limits in _OK
        return any(one.breaker == "closed" for one in self.llm)

    def trouble(self, stage: str, *, within_s: float | None = None) -> str | None:
        """What the stage ran into last, if that was within these seconds (else `bounds.trouble_s`)."""
        at_most = self.bounds.trouble_s if within_s is None else within_s
        found = (one for one in self.backlog.troubles if one.stage == stage and one.age_s <= at_most)
        return next((one.error for one in found), None)


def look_for_findings(looks: Looks, bounds: Bounds) -> list[Finding]:
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
            bounds=bounds,
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
        if one.breaker != "closed":
            stage = of_llm(model=one.model, endpoint=one.endpoint)
            hint = sight.trouble(stage, within_s=LLM_TROUBLE_S) or "the LLM callers' logs say how"
            problem = f"{one.model} at {one.endpoint} is not asked, since its calls fail"
            yield Finding("llm", problem, hint)
    yield from _money(sight)


def _money(sight: Sight) -> Iterator[Finding]:
    """An endpoint's, or a budget's of a day: then questions end, which callers note."""
    hint = "local labels stand, with the reason `budget`; see `linkner limits show` and `linkner cost`"
    spent = [one for one in sight.llm if one.money_is_spent]
    for one in spent:
        yield Finding("money", f"the money for {one.model} at {one.endpoint} is spent", hint)
    if not spent and (last := sight.trouble("money")):
        yield Finding("money", last, hint)


def _troubles(sight: Sight) -> Iterator[Finding]:
    """What the processes themselves say that they run into."""
    for kind in _TELLING:
        if error := sight.trouble(kind):
            yield Finding(kind, error, f"{_process(kind)} waits, and tries it again")


def _standstills(sight: Sight) -> Iterator[Finding]:
    """Work that nobody takes up: no wonder while the broker is away, nor where questions have no LLM."""
    if sight.broker not in _OK:
        return
    for stage, what in _WORK.items():
        if (stage == "classify" and not sight.llm_is_asked) or sight.trouble(stage):
            continue
        wait, depth = sight.backlog.waits[stage], sight.depths.get(stage, 0)
        nothing_is_sent = not depth and not wait.published_s
        if nothing_is_sent and wait.due_s > sight.bounds.due_s and not sight.trouble("relay"):
            problem = f"{what} have been due for `{stage}` for {wait.due_s:.0f} s, and its queue is empty"
            yield Finding("relay", problem, "is `linkner relay` running?")
        if stage == "classify" and sight.backlog.questions.get("claimed"):
            continue  # they are taken up, as slowly as the limits make it
        if wait.published_s > sight.bounds.published_s:
            yield _not_taken_up(stage, what, seconds=wait.published_s, depth=depth)
    if sight.backlog.batch_due_s > sight.bounds.batch_due_s and not sight.trouble("batcher"):
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
    hint = f"lost with the broker, or {_process(stage)} died with them: they come again; or it hangs"
    return Finding(stage, problem, hint)


def _process(kind: str) -> str:
    return f"`linkner {kind}`" if kind in {"relay", "batcher"} else f"`linkner worker {kind}`"


def _left_over(sight: Sight) -> Iterator[Finding]:
    backlog = sight.backlog
    if backlog.unfinished > sight.bounds.high_water:
        problem = f"no more posts are taken: {backlog.unfinished:,} are under way"
        hint = f"producers are told 429 above {sight.bounds.high_water:,} (LINKNER_HIGH_WATER)"
        yield Finding("full", problem, hint)
    if dead := sum(backlog.dead_documents.values()):
        problem = f"{dead:,} documents ended without a result"
        yield Finding("dead", problem, "`linkner dead list` says why; replay or drop them")
    if backlog.parked:
        problem = f"{backlog.parked:,} messages could not be used by any worker"
        yield Finding("parked", problem, "`linkner dead list` shows them; replay or drop them")
