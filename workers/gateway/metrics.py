"""What the gateway tells Prometheus, in a registry of its own. No label grows with the traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as PrometheusCounter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from linkner.errors import UnavailableError
from workers.gateway.findings import KINDS, Bounds, look_for_findings
from workers.gateway.looks import Looks, SharedLook
from workers.gateway.wire import LlmStatus
from workers.ports import Clock, Counts, Reader, Stage, Waits

TOTALS_AGE_S = 300.0
"""What is finished is counted at most this often: that reads whole tables."""
MAX_SERIES = 32
"""Most values of one label; the smallest counts beyond it are summed as `other`."""

_LLM_GAUGES: Sequence[tuple[str, str, Callable[[LlmStatus], float]]] = (
    (
        "linkner_llm_breaker_open",
        "Whether the breaker lets no call through, but for a probe.",
        lambda one: one.breaker != "closed",
    ),
    ("linkner_llm_in_flight", "Calls under way.", lambda one: one.in_flight),
    ("linkner_llm_money_spent_day", "Money spent since midnight UTC.", lambda one: one.spent_day),
    (
        "linkner_llm_money_is_spent",
        "Whether the money of this hour or day is spent.",
        lambda one: one.money_is_spent,
    ),
)


class GatewayMetrics:
    """The gateway's own counters, and the state of its neighbours at each scrape."""

    def __init__(self, *, reader: Reader, looks: Looks, clock: Clock, bounds: Bounds) -> None:
        self._registry = CollectorRegistry()
        self._state = StateCollector(reader=reader, looks=looks, clock=clock, bounds=bounds)
        self._registry.register(self._state)
        self._posts = PrometheusCounter(
            "linkner_gateway_posts", "Posts by what became of them.", ["status"], registry=self._registry
        )

    def count_post(self, status: str) -> None:
        self._posts.labels(status).inc()

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def count_anew(self) -> None:
        """See `StateCollector.count_anew`."""
        self._state.count_anew()


class StateCollector(Collector):
    """Looks at backlog, queues and LLM limits when it is scraped; says where one is out of reach.

    What is finished it tells as it was last counted, which nobody who scrapes waits for.
    """

    def __init__(self, *, reader: Reader, looks: Looks, clock: Clock, bounds: Bounds) -> None:
        self._reader, self._looks, self._clock = reader, looks, clock
        self._bounds = bounds
        self._totals: Counts | None = None
        self._counted_at = 0.0
        self._tried_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        yield from self._store_metrics()
        if self._looks.queues is not None:
            yield from _queue_metrics(self._looks.queues)
        if self._looks.llm is not None:
            yield from _llm_metrics(self._looks.llm)

    def count_anew(self) -> None:
        """Count what is finished, unless that was tried within TOTALS_AGE_S.

        Where it takes longer than the store allows, the counts of before stay: their age says so.
        """
        now = self._clock.monotonic()
        if now - self._tried_at < TOTALS_AGE_S:
            return
        self._tried_at = now
        with suppress(UnavailableError):
            self._totals, self._counted_at = self._reader.counts(), now

    def _store_metrics(self) -> Iterator[Metric]:
        try:
            backlog = self._looks.backlog()
            found = Counter(one.kind for one in look_for_findings(self._looks, self._bounds))
        except UnavailableError:
            yield _gauge("linkner_store_up", "Whether the store can be reached.", 0)
            return
        yield _gauge("linkner_store_up", "Whether the store can be reached.", 1)
        yield _by_label(
            "linkner_findings",
            "What `linkner status` says is wrong.",
            "kind",
            {kind: found[kind] for kind in KINDS},
        )
        documents, questions = dict(backlog.documents), dict(backlog.questions)
        totals = self._totals
        if totals is not None:
            documents |= _only(totals.documents, "complete")
            questions |= _only(totals.questions, "answered", "dead")
            yield from _totals_metrics(totals, age_s=self._clock.monotonic() - self._counted_at)
        yield _by_label("linkner_documents", "Documents by state.", "state", documents)
        yield _by_label("linkner_questions", "Questions by state.", "state", questions)
        yield _by_label(
            "linkner_documents_dead", "Documents without a local result.", "reason", backlog.dead_documents
        )
        yield _gauge("linkner_messages_parked", "Messages that no worker could use.", backlog.parked)
        yield _gauge(
            "linkner_oldest_unfinished_seconds", "Age of the oldest document.", backlog.oldest_unfinished_s
        )
        yield from _wait_metrics(backlog.waits)


def _only(counts: Mapping[str, int], *names: str) -> dict[str, int]:
    return {name: counts[name] for name in names if name in counts}


def _totals_metrics(totals: Counts, *, age_s: float) -> Iterator[Metric]:
    yield _gauge("linkner_totals_age_seconds", "How long ago all that is finished was counted.", age_s)
    yield _by_label(
        "linkner_questions_dead", "Questions ended without an answer.", "reason", totals.dead_reasons
    )
    yield _by_label("linkner_entities", "Final entities.", "decided_by", totals.decided_by)
    yield _gauge("linkner_answers_replayed", "Answers recorded earlier.", totals.replayed)
    yield _gauge("linkner_answers_cached", "Answers from the answer cache.", totals.cached)


def _wait_metrics(waits: Mapping[Stage, Waits]) -> Iterator[Metric]:
    yield _by_label(
        "linkner_oldest_due_seconds",
        "How long the oldest that is due has been in no message.",
        "stage",
        {stage: wait.due_s for stage, wait in waits.items()},
    )
    yield _by_label(
        "linkner_oldest_published_seconds",
        "How long the oldest in a message has not been taken up.",
        "stage",
        {stage: wait.published_s for stage, wait in waits.items()},
    )


def _queue_metrics(look: SharedLook[dict[str, int]]) -> Iterator[Metric]:
    try:
        depths = look()
    except UnavailableError:
        yield _gauge("linkner_broker_up", "Whether the broker can be reached.", 0)
        return
    yield _gauge("linkner_broker_up", "Whether the broker can be reached.", 1)
    yield _by_label("linkner_queue_depth", "Messages that wait.", "queue", depths)


def _llm_metrics(look: SharedLook[list[LlmStatus]]) -> Iterator[Metric]:
    """As many series as the operator names endpoints."""
    up = "Whether the state of the LLM's limits can be reached."
    try:
        found = look()
    except UnavailableError:
        yield _gauge("linkner_llm_limits_up", up, 0)
        return
    yield _gauge("linkner_llm_limits_up", up, 1)
    for name, help_text, value in _LLM_GAUGES:
        family = GaugeMetricFamily(name, help_text, labels=["endpoint", "model"])
        for one in found:
            family.add_metric([one.endpoint, one.model], value(one))
        yield family


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _by_label(name: str, help_text: str, label: str, counts: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for value, count in ranked[:MAX_SERIES]:
        family.add_metric([value], count)
    if len(ranked) > MAX_SERIES:
        family.add_metric(["other"], sum(count for _, count in ranked[MAX_SERIES:]))
    return family
