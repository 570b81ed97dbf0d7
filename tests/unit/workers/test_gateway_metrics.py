"""Metrics stay small and cheap whatever the store holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client.core import Metric

from broker.settings import Settings
from linkner.errors import UnavailableError
from tests.fakes.clock import FakeClock
from tests.support.backlog import IDLE
from workers.gateway.findings import Bounds
from workers.gateway.looks import MAX_AGE_S, Looks
from workers.gateway.metrics import MAX_SERIES, TOTALS_AGE_S, StateCollector
from workers.ports import Backlog, Counts


class CountingReader:
    """A reader of fixed counts that knows how often it was asked for what; without them it is away."""

    def __init__(self, counts: Counts | None = None, backlog: Backlog | None = None) -> None:
        self.fixed = {"counts": counts, "backlog": backlog}
        self.asked = {"counts": 0, "backlog": 0}

    def counts(self) -> Counts:
        return self._answer("counts")

    def backlog(self) -> Backlog:
        return self._answer("backlog")

    def ping(self) -> None:
        raise AssertionError("a scrape needs no look of its own at the store")

    def _answer(self, what: str) -> Any:
        self.asked[what] += 1
        if self.fixed[what] is None:
            raise UnavailableError("the store is away")
        return self.fixed[what]


def counts(**changes: dict[str, int]) -> Counts:
    names = ("documents", "questions", "dead_reasons", "dead_documents", "decided_by")
    values = {name: {} for name in names} | changes
    return Counts(**values, parked=0, replayed=0, cached=0, oldest_unfinished_s=1.5)


def backlog(**changes: dict[str, int]) -> Backlog:
    return replace(IDLE, **changes)


def collector_of(reader: CountingReader, clock: FakeClock | None = None) -> StateCollector:
    clock = clock or FakeClock()
    looks = Looks(reader=reader, queues=None, clock=clock)
    return StateCollector(reader=reader, looks=looks, clock=clock, bounds=Bounds.of(Settings()))


def collect(collector: StateCollector) -> dict[str, Metric]:
    return {metric.name: metric for metric in collector.collect()}


def values(metric: Metric) -> dict[str, float]:
    """Of a metric with one label: its value by that label's."""
    return {next(iter(sample.labels.values())): sample.value for sample in metric.samples}


def test_a_label_with_too_many_values_is_cut_and_nothing_is_lost() -> None:
    reasons = {f"reason-{number:03}": number for number in range(100)}

    reader = CountingReader(backlog=backlog(dead_documents=reasons))
    samples = collect(collector_of(reader))["linkner_documents_dead"].samples

    assert len(samples) == MAX_SERIES + 1
    assert sum(sample.value for sample in samples) == sum(reasons.values())
    assert samples[0].labels == {"reason": "reason-099"}
    assert samples[-1].labels == {"reason": "other"}


def test_scrapes_close_together_share_one_look_at_the_store() -> None:
    reader, clock = CountingReader(backlog=backlog(documents={"accepted": 1})), FakeClock()
    collector = collector_of(reader, clock)

    for _ in range(3):
        collect(collector)
    assert reader.asked["backlog"] == 1
    clock.now += MAX_AGE_S
    collect(collector)

    assert reader.asked == {"backlog": 2, "counts": 0}


def test_what_is_finished_is_told_as_it_was_last_counted() -> None:
    clock = FakeClock()
    reader = CountingReader(
        counts(
            documents={"complete": 7, "recognised": 3},
            questions={"answered": 4, "dead": 2, "pending": 3},
            dead_reasons={"deadline": 2},
        ),
        backlog(documents={"accepted": 1}),
    )
    collector = collector_of(reader, clock)
    assert values(collect(collector)["linkner_documents"]) == {"accepted": 1}

    collector.count_anew()
    clock.now += 10
    found = collect(collector)

    assert values(found["linkner_documents"]) == {"accepted": 1, "complete": 7}
    assert values(found["linkner_questions"]) == {"answered": 4, "dead": 2}
    assert values(found["linkner_questions_dead"]) == {"deadline": 2}
    assert found["linkner_totals_age_seconds"].samples[0].value == 10


def test_what_is_finished_is_counted_seldom() -> None:
    reader, clock = CountingReader(counts(), backlog()), FakeClock()
    collector = collector_of(reader, clock)

    for _ in range(3):
        collector.count_anew()
    assert reader.asked["counts"] == 1
    clock.now += TOTALS_AGE_S
    collector.count_anew()

    assert reader.asked["counts"] == 2


def test_a_count_that_takes_too_long_is_no_store_that_is_away() -> None:
    clock, reader = FakeClock(), CountingReader(counts(documents={"complete": 7}), backlog())
    collector = collector_of(reader, clock)
    collector.count_anew()
    reader.fixed["counts"] = None
    clock.now += TOTALS_AGE_S

    collector.count_anew()
    collector.count_anew()
    found = collect(collector)

    assert reader.asked["counts"] == 2
    assert found["linkner_store_up"].samples[0].value == 1
    assert values(found["linkner_documents"]) == {"complete": 7}
    assert found["linkner_totals_age_seconds"].samples[0].value == TOTALS_AGE_S


def test_nothing_old_is_told_of_a_store_that_is_away() -> None:
    reader = CountingReader(counts())
    collector = collector_of(reader)
    collector.count_anew()

    [metric] = collect(collector).values()

    assert (metric.name, metric.samples[0].value) == ("linkner_store_up", 0)
