"""Rows per second of each step of the store, on embedded PostgreSQL with every commit flushed to disk.

Run it with `python -m tests.benchmarks.store_throughput [documents]`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from linkner.spans import Entity, Recognition, ScoredSpan, Span
from tests.support.one_question import claim_one, record_one
from workers.ports import Answer, NewDocument, Recognised, Stage
from workers.stack.embedded import embedded_postgres
from workers.store.database import connect
from workers.store.migrating import migrate
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

TEXT = "Anna met Umit in Oslo, and then they took the night train to see the fjords in the west"
SPANS = (Span(0, 4), Span(9, 13), Span(17, 21))
LABELS = ("corporation", "creative-work", "group", "location", "person", "product", "O")
SCORED = tuple(ScoredSpan(span, "person", 0.4, 0.6, dict.fromkeys(LABELS, 1 / 7)) for span in SPANS)
ENTITIES = tuple(Entity(span, "person", "local", 0.4, 0.6) for span in SPANS)
ANSWER = Answer({SPANS[0]: "person"}, "llm", "p1", "person", 200, 2, replayed=True)
ASKED_EVERY = 3


def measure(name: str, count: int, work: Callable[[], object]) -> None:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(f"{name:<44} {count:>7} in {seconds:6.2f} s = {count / seconds:>8.0f}/s", flush=True)


def recognised(document_id: int) -> Recognised:
    """Three entities, of which one is asked about in every third document."""
    questions = ((SCORED[0],),) if document_id % ASKED_EVERY == 0 else ()
    return Recognised(document_id, "local", Recognition(SCORED, ()), questions)


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(folder) as url:
        migrate(url)
        engine = connect(url, pool_size=8)
        store, outbox, reader = PostgresStore(engine), PostgresOutbox(engine), PostgresReader(engine)
        posts = [NewDocument("bench", str(number), TEXT) for number in range(count)]
        ids: list[int] = []
        sent: list[int] = []

        def each(size: int, items: Sequence[int], work: Callable[[Sequence[int]], object]) -> None:
            for start in range(0, len(items), size):
                work(items[start : start + size])

        def answer(question_id: int) -> None:
            claim = claim_one(store, question_id, lease_s=60, max_attempts=5)
            assert claim is not None
            assert record_one(store, claim, ANSWER)

        def accept() -> None:
            for start in range(0, count, 500):
                ids.extend(result.document_id for result in store.accept(posts[start : start + 500]))

        def publish(stage: Stage) -> None:
            sent.clear()
            while outbox.publish_due(stage, limit=1_000, send=sent.extend):
                pass

        measure("accept, 500 a batch", count, accept)
        measure("accept again (duplicates), 500 a batch", count, accept)
        measure("unfinished", 1, reader.unfinished)
        measure("publish documents, 1,000 a batch", count, lambda: publish("recognise"))
        measure("begin, 64 a batch", count, lambda: each(64, ids[:count], store.begin_recognition))
        measure("read texts, 64 a batch", count, lambda: each(64, ids[:count], store.texts))
        measure(
            "record recognised, 64 a batch",
            count,
            lambda: each(
                64, ids[:count], lambda batch: store.record_recognised(list(map(recognised, batch)))
            ),
        )
        publish("classify")
        asked = list(sent)
        with ThreadPoolExecutor(8) as pool:
            measure("claim and answer, 8 threads", len(asked), lambda: list(pool.map(answer, asked)))
        publish("aggregate")
        fences: dict[int, int] = {}

        def read(batch: Sequence[int]) -> None:
            fences.update((found.document_id, found.fence) for found in store.joinable(batch))

        def complete(batch: Sequence[int]) -> None:
            store.complete(dict.fromkeys(batch, ENTITIES), fences=fences)

        measure("read what linking needs, 128 a batch", count, lambda: each(128, sent, read))
        measure("complete, 128 a batch", count, lambda: each(128, sent, complete))
        sweep = partial(outbox.sweep, republish_after_s=0.0, deadline_s=0.0, document_deadline_s=1e9)
        measure("sweep", 1, sweep)
        measure("counts", 1, reader.counts)
        measure("read the feed, 1,000 a page", count, lambda: follow(reader))
        assert reader.unfinished() == 0
        engine.dispose()


def follow(reader: PostgresReader) -> None:
    cursor = 0
    while items := reader.feed(after=cursor, limit=1_000):
        cursor = items[-1].cursor


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
