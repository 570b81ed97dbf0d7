"""Metrics stay small and cheap whatever the store holds."""

from __future__ import annotations

from prometheus_client.core import Metric

from linkner.errors import UnavailableError
from tests.fakes.clock import FakeClock
from workers.gateway.metrics import MAX_AGE_S, MAX_SERIES, StateCollector
from workers.ports import Counts


class CountingReader:
    """A reader of fixed counts that knows how often it was asked."""

    def __init__(self, counts: Counts | None) -> None:
        self._counts = counts
        self.asked = 0

    def counts(self) -> Counts:
        self.asked += 1
        if self._counts is None:
            raise UnavailableError("the store is away")
        return self._counts


def counts(**changes: dict[str, int]) -> Counts:
    names = ("documents", "questions", "dead_reasons", "dead_documents", "decided_by")
    values = {name: {} for name in names} | changes
    return Counts(**values, parked=0, replayed=0, cached=0, oldest_unfinished_s=1.5)


def collect(reader: CountingReader, clock: FakeClock | None = None) -> dict[str, Metric]:
    collector = StateCollector(reader=reader, queues=None, clock=clock or FakeClock())
    return {metric.name: metric for metric in collector.collect()}


def test_a_label_with_too_many_values_is_cut_and_nothing_is_lost() -> None:
    reasons = {f"reason-{number:03}": number for number in range(100)}

    samples = collect(CountingReader(counts(dead_reasons=reasons)))["linkner_questions_dead"].samples

    assert len(samples) == MAX_SERIES + 1
    assert sum(sample.value for sample in samples) == sum(reasons.values())
    assert samples[0].labels == {"reason": "reason-099"}
    assert samples[-1].labels == {"reason": "other"}


def test_scrapes_close_together_share_one_look_at_the_store() -> None:
    reader, clock = CountingReader(counts(documents={"accepted": 1})), FakeClock()
    collector = StateCollector(reader=reader, queues=None, clock=clock)

    for _ in range(3):
        list(collector.collect())
    assert reader.asked == 1
    clock.now += MAX_AGE_S
    list(collector.collect())

    assert reader.asked == 2


def test_nothing_old_is_told_of_a_store_that_is_away() -> None:
    [metric] = collect(CountingReader(None)).values()

    assert (metric.name, metric.samples[0].value) == ("linkner_store_up", 0)
