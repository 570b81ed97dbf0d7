"""What the gateway tells Prometheus, in a registry of its own. No label grows with the traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from linkner.errors import UnavailableError
from workers.ports import Clock, Counts, Queues, Reader, Stage

MAX_AGE_S = 2.0
"""Scrapes closer together than this share one look at the store, which reads whole tables."""
MAX_SERIES = 32
"""Most values of one label; the smallest counts beyond it are summed as `other`."""


class GatewayMetrics:
    """The gateway's own counters, and the state of store and queues at each scrape."""

    def __init__(self, *, reader: Reader, queues: Queues | None, clock: Clock) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(StateCollector(reader=reader, queues=queues, clock=clock))
        self._posts = Counter(
            "linkner_gateway_posts", "Posts by what became of them.", ["status"], registry=self._registry
        )

    def count_post(self, status: str) -> None:
        self._posts.labels(status).inc()

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class StateCollector(Collector):
    """Reads the store's counts and the queues' depths when it is scraped; says where one is out of reach."""

    def __init__(self, *, reader: Reader, queues: Queues | None, clock: Clock) -> None:
        self._reader, self._queues, self._clock = reader, queues, clock
        self._counts: Counts | None = None
        self._counted_at = 0.0

    def collect(self) -> Iterator[Metric]:
        yield from self._store_metrics()
        if self._queues is not None:
            yield from _queue_metrics(self._queues)

    def _store_metrics(self) -> Iterator[Metric]:
        try:
            counts = self._fresh_counts()
        except UnavailableError:
            yield _gauge("linkner_store_up", "Whether the store can be reached.", 0)
            return
        yield _gauge("linkner_store_up", "Whether the store can be reached.", 1)
        yield _by_label("linkner_documents", "Documents by state.", "state", counts.documents)
        yield _by_label("linkner_questions", "Questions by state.", "state", counts.questions)
        yield _by_label(
            "linkner_questions_dead", "Questions ended without an answer.", "reason", counts.dead_reasons
        )
        yield _by_label(
            "linkner_documents_dead", "Documents without a local result.", "reason", counts.dead_documents
        )
        yield _gauge("linkner_messages_parked", "Messages that no worker could use.", counts.parked)
        yield _by_label("linkner_entities", "Final entities.", "decided_by", counts.decided_by)
        yield _gauge("linkner_answers_replayed", "Answers recorded earlier.", counts.replayed)
        yield _gauge("linkner_answers_cached", "Answers from the answer cache.", counts.cached)
        yield _gauge(
            "linkner_oldest_unfinished_seconds", "Age of the oldest document.", counts.oldest_unfinished_s
        )

    def _fresh_counts(self) -> Counts:
        now = self._clock.monotonic()
        if self._counts is None or now - self._counted_at >= MAX_AGE_S:
            self._counts, self._counted_at = self._reader.counts(), now
        return self._counts


def queue_depths(queues: Queues) -> dict[str, int]:
    """Messages that wait in each queue that the relay feeds. Raises UnavailableError."""
    return {stage: queues.depth(stage) for stage in get_args(Stage)}


def _queue_metrics(queues: Queues) -> Iterator[Metric]:
    try:
        depths = queue_depths(queues)
    except UnavailableError:
        yield _gauge("linkner_broker_up", "Whether the broker can be reached.", 0)
        return
    yield _gauge("linkner_broker_up", "Whether the broker can be reached.", 1)
    yield _by_label("linkner_queue_depth", "Messages that wait.", "queue", depths)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _by_label(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for value, count in ranked[:MAX_SERIES]:
        family.add_metric([value], count)
    if len(ranked) > MAX_SERIES:
        family.add_metric(["other"], sum(count for _, count in ranked[MAX_SERIES:]))
    return family
