"""The parts of the benchmark: each runs a stack of its own, and says what the provider's ledger has of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.llm import baselines
from tests.benchmarks.llm.bench_stack import BenchStack, bench_stack, caller, distinct, provider_alone
from tests.benchmarks.llm.rates import provider, reservations
from tests.benchmarks.llm.windows import Called, back_after_s, in_second, read, use
from workers.stack.embedded import embedded_redis
from workers.stack.memory import pss_mib

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of the provider. Times are in seconds, limits are for a minute."""

    posts: Sequence[str]
    requests: int = 3_000
    tokens: int = 600_000
    median_s: float = 0.8
    p99_s: float = 6.0
    warm_up_s: float = 60.0
    ours_s: float = 200.0
    baseline_s: float = 130.0
    baseline_warm_up_s: float = 30.0
    repeated: int = 10_000
    outage_s: float = 60.0
    callers: int = 4
    slots: int = 32
    many_callers: int = 16
    many_slots: int = 125

    @property
    def provider(self) -> tuple[str, ...]:
        """The options of the provider with limits."""
        return (
            f"--requests-per-minute={self.requests}",
            f"--tokens-per-minute={self.tokens}",
            f"--latency-median-s={self.median_s}",
            f"--latency-p99-s={self.p99_s}",
        )

    @property
    def limits(self) -> dict[str, str]:
        """The same limits as settings of the callers."""
        return {
            "LINKNER_LLM_REQUESTS_PER_MINUTE": str(self.requests),
            "LINKNER_LLM_TOKENS_PER_MINUTE": str(self.tokens),
        }

    def unlike(self, count: int) -> list[str]:
        """So many posts of which no two are equal."""
        posts = self.posts
        return [f"{posts[n % len(posts)][:200]} {n}" for n in range(count)]

    def enough_for(self, seconds: float) -> list[str]:
        """Posts that last for so many seconds at the limit on requests."""
        return self.unlike(int(self.requests * seconds / 60) + self.requests)


def pace(plan: Plan, say: Say) -> dict[str, Any]:
    """How much of the limits is used, and how often they are passed, beside two other ways."""
    ours = _ours(plan, say)
    others = {
        "backing off": _backing_off(plan, say),
        "celery rate_limit": _celery(plan, say),
    }
    return {
        **ours,
        "utilisation": ours["least"],
        "form": "per-span without descriptions",
        "baselines": others,
    }


def tokens(plan: Plan, say: Say) -> dict[str, Any]:
    """The same with so few tokens a minute that they are what binds."""
    few = replace(plan, tokens=plan.tokens // 4)
    return {"tokens_per_minute": few.tokens, **_ours(few, say)}


def _ours(plan: Plan, say: Say) -> dict[str, Any]:
    """How our callers use the limits."""
    posts = plan.enough_for(plan.ours_s)
    say(f"{plan.callers} callers of {plan.slots} slots, {plan.tokens:,} tokens a minute, {plan.ours_s:.0f} s")
    with _running(plan, posts) as stack:
        stack.fill(posts)
        began = _first_call(stack)
        time.sleep(plan.ours_s + 2 * plan.p99_s)  # the ledger has a call when it has ended
        ours = _used(plan, stack.calls(), begin=began + plan.warm_up_s, end=began + plan.ours_s)
    say(f"ours: {ours}")
    return ours


def _running(plan: Plan, posts: Sequence[str], *more: str) -> Any:
    return bench_stack(
        posts,
        *plan.provider,
        *more,
        callers=plan.callers,
        slots=plan.slots,
        environment=plan.limits,
    )


def _first_call(stack: BenchStack, *, within_s: float = 60.0) -> float:
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        if calls := stack.calls():
            return calls[0].at
        time.sleep(0.2)
    raise TimeoutError(f"no call came: {stack.roles.log_tail('llm-caller-1')}")


def _used(plan: Plan, calls: Sequence[Called], *, begin: float, end: float) -> dict[str, Any]:
    found = use(
        calls,
        requests=plan.requests,
        tokens=plan.tokens,
        begin=begin,
        end=end,
    )
    return {
        **{name: round(getattr(found, name), 4) for name in ("least", "middle", "most")},
        "windows": found.windows,
        "binding": found.binding,
        "calls": len(calls),
        "violations": sum(call.violation for call in calls),
    }


def _backing_off(plan: Plan, say: Say) -> dict[str, Any]:
    say(f"pace: baseline that backs off on 429, {plan.baseline_s:.0f} s")
    posts = plan.enough_for(plan.baseline_s)
    with provider_alone(posts, *plan.provider) as (url, ledger, _):
        baselines.back_off(url, posts, seconds=plan.baseline_s)
        return _baseline(plan, ledger)


def _celery(plan: Plan, say: Say) -> dict[str, Any]:
    say(f"pace: baseline with Celery's rate_limit on each worker, {plan.baseline_s:.0f} s")
    posts = plan.enough_for(plan.baseline_s)
    with (
        provider_alone(posts, *plan.provider) as (url, ledger, folder),
        embedded_redis(folder / "redis") as redis,
    ):
        (folder / "limit").write_text(str(plan.requests))
        baselines.celery_rate_limit(url, posts, redis=redis, seconds=plan.baseline_s, folder=folder)
        return _baseline(plan, ledger)


def _baseline(plan: Plan, ledger: Path) -> dict[str, Any]:
    with ledger.open() as lines:
        calls = read(lines)
    return _used(plan, calls, begin=calls[0].at + plan.baseline_warm_up_s, end=calls[-1].at)


def scaling(plan: Plan, say: Say) -> dict[str, Any]:
    """A caller is killed, and one is added: whether a limit is passed, and how soon the pace is back."""
    seconds = 100.0
    posts = plan.enough_for(seconds + 60)
    say("scaling: a caller is killed with -9 and starts again, another is added")
    with _running(plan, posts) as stack:
        stack.fill(posts)
        _first_call(stack)
        time.sleep(30)
        os.kill(stack.roles.pids()["llm-caller-1"], signal.SIGKILL)
        killed = time.monotonic()
        time.sleep(40)
        stack.roles.start([caller(plan.callers + 1)])
        added = time.monotonic()
        time.sleep(seconds - 70)
        calls = stack.calls()
    back = back_after_s(calls, requests=plan.requests, at=killed, end=added)
    return {
        "calls": len(calls),
        "violations": sum(call.violation for call in calls),
        "back_after_kill_s": None if back is None else round(back, 1),
        "back_after_adding_s": back_after_s(calls, requests=plan.requests, at=added, end=added + 30),
    }


def repeats(plan: Plan, say: Say) -> dict[str, Any]:
    """Questions of a stream with its repeats: one call for each distinct one, also where all come twice."""
    posts = list(plan.posts[: plan.repeated])
    wanted = distinct(posts)
    return {
        "distinct_questions": wanted,
        **_repeated(plan, posts, say, twice=False),
        "delivered_twice": _repeated(plan, posts, say, twice=True),
    }


def _repeated(plan: Plan, posts: Sequence[str], say: Say, *, twice: bool) -> dict[str, Any]:
    say(f"repeats: {len(posts):,} posts{', every message delivered twice' if twice else ''}")
    fast = {"LINKNER_LLM_REQUESTS_PER_MINUTE": "1000000"}
    with bench_stack(
        posts, "--latency-median-s=0.1", callers=plan.callers, slots=plan.slots, environment=fast
    ) as stack:
        questions = stack.fill(posts)
        if twice:
            for question_id in range(1, questions + 1):
                stack.publisher.send("classify", [question_id])
        _until_final(stack, within_s=600.0)
        calls = stack.calls()
        cached = stack.number("SELECT count(*) FROM questions WHERE state = 'answered'") - len(calls)
        return {
            "questions": questions,
            "calls": len(calls),
            "cache_hit_rate": round(cached / questions, 4),
            "dead": stack.number("SELECT count(*) FROM questions WHERE state = 'dead'"),
        }


def _until_final(stack: BenchStack, *, within_s: float) -> float:
    """Seconds until every document is final."""
    began = time.monotonic()
    while stack.unfinished():
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"{stack.unfinished()} documents are not final")
        time.sleep(0.5)
    return time.monotonic() - began


def footprint(plan: Plan, say: Say) -> dict[str, Any]:
    """Memory and rate of many slots, and what a reservation takes."""
    slots = plan.many_callers * plan.many_slots
    say(f"footprint: {plan.many_callers} callers of {plan.many_slots} slots")
    posts = plan.unlike(15_000)
    fast = {"LINKNER_LLM_REQUESTS_PER_MINUTE": "1000000"}
    with bench_stack(
        posts,
        "--latency-median-s=4",
        callers=plan.many_callers,
        slots=plan.many_slots,
        environment=fast,
    ) as stack:
        stack.fill(posts)
        began = _first_call(stack, within_s=180.0)
        time.sleep(50)
        pids = {name: [pid] for name, pid in stack.roles.pids().items() if name.startswith("llm-caller")}
        memory = sum(pss_mib(pids).values())
        calls = [call.at for call in stack.calls()]
    last = max(calls)
    rate = sum(last - 20 <= at for at in calls) / 20 if last - began > 20 else 0.0
    return {
        "slots": slots,
        "callers_pss_mib": round(memory),
        "calls_per_s": round(rate, 1),
        **reservations(say),
        **provider(plan.unlike(500), say),
    }


def outage(plan: Plan, say: Say) -> dict[str, Any]:
    """The provider is dead for a while: whether every document ends, and how the callers come back."""
    posts = plan.enough_for(20)
    say(f"outage: the provider is dead for {plan.outage_s:.0f} s")
    start = 20.0
    with _running(plan, posts, f"--down-from-s={start}", f"--down-for-s={plan.outage_s}") as stack:
        stack.fill(posts)
        _first_call(stack)
        _until_final(stack, within_s=plan.outage_s + 300)
        calls = stack.calls()
        answered = stack.number("SELECT count(*) FROM questions WHERE state = 'answered'")
        documents = stack.number("SELECT count(*) FROM documents")
    failed = [call.at for call in calls if call.status == 500]
    back = next((call.at for call in calls if failed and call.at > failed[-1]), None)
    return {
        "documents": documents,
        "final": documents,
        "answered": answered,
        "calls": len(calls),
        "calls_while_dead": len(failed),
        "first_call_after_s": None if back is None else round(back - failed[-1], 2),
        "calls_in_first_second": 0 if back is None else in_second(calls, back),
        "allowed_in_a_second": plan.requests // 60,
        "violations": sum(call.violation for call in calls),
    }


PARTS: dict[str, Callable[[Plan, Say], dict[str, Any]]] = {
    "pace": pace,
    "tokens": tokens,
    "scaling": scaling,
    "repeats": repeats,
    "footprint": footprint,
    "outage": outage,
}
