"""What erasing old documents takes, beside a gateway that goes on accepting: documents a second, and waits.

On embedded PostgreSQL with every commit flushed to disk. Each document has three entities, every third a
question with its answer, as in `store_throughput`.

python -m tests.benchmarks.retention
python -m tests.benchmarks.retention --documents 100000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median, quantiles

from sqlalchemy import Engine, text

from tests.benchmarks.store_throughput import ANSWER, ENTITIES, TEXT, recognised
from tests.support.joining import complete
from tests.support.one_question import claim_one, record_one
from workers.handlers.relay import RETIRED_AT_ONCE
from workers.ports import NewDocument
from workers.stack.embedded import embedded_postgres
from workers.store.database import connect
from workers.store.erasing import PostgresErasure
from workers.store.migrating import migrate
from workers.store.outbox import PostgresOutbox
from workers.store.repository import PostgresStore

CHUNK = 500
A_MONTH_S = 30 * 86_400.0


def fill(engine: Engine, count: int) -> None:
    """So many finished documents, which are two months old."""
    store, outbox = PostgresStore(engine), PostgresOutbox(engine)
    for start in range(0, count, CHUNK):
        accepted = store.accept([NewDocument("old", f"{start + n}", TEXT) for n in range(CHUNK)])
        ids = [one.document_id for one in accepted]
        store.record_recognised([recognised(document_id) for document_id in ids])
        asked: list[int] = []
        outbox.publish_due("classify", limit=CHUNK, send=asked.extend)
        for question_id in asked:
            claim = claim_one(store, question_id, lease_s=60, max_attempts=5)
            assert claim is not None
            record_one(store, claim, ANSWER)
        complete(store, dict.fromkeys(ids, ENTITIES))
    with engine.begin() as connection:
        connection.execute(text("UPDATE documents SET accepted_at = accepted_at - interval '60 days'"))
        connection.execute(text("ANALYZE"))


def accepting(engine: Engine, go_on: Callable[[], bool], *, name: str) -> list[float]:
    """Seconds that each batch of 100 new documents took."""
    store = PostgresStore(engine)
    took: list[float] = []
    while go_on():
        posts = [NewDocument(name, f"{len(took)}-{n}", TEXT) for n in range(100)]
        began = time.perf_counter()
        store.accept(posts)
        took.append(time.perf_counter() - began)
        time.sleep(0.02)
    return took


def measure(count: int) -> dict[str, object]:
    """Fill, accept alone, then erase everything old while accepting goes on."""
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(folder) as url:
        migrate(url)
        engine = connect(url, pool_size=4)
        fill(engine, count)
        until = time.monotonic() + 5
        alone = accepting(engine, lambda: time.monotonic() < until, name="alone")
        ended = threading.Event()
        with ThreadPoolExecutor() as threads:
            beside = threads.submit(accepting, engine, lambda: not ended.is_set(), name="beside")
            began, retired, steps = time.perf_counter(), 0, []
            try:
                while True:
                    step = time.perf_counter()
                    erased = PostgresErasure(engine).retire(older_than_s=A_MONTH_S, limit=RETIRED_AT_ONCE)
                    steps.append(time.perf_counter() - step)
                    retired += erased
                    if erased < RETIRED_AT_ONCE:
                        break
                took = time.perf_counter() - began
            finally:
                ended.set()
            waits = beside.result()
        engine.dispose()
    return {
        "documents": retired,
        "erased_per_s": round(retired / took),
        "transaction_median_ms": round(1e3 * median(steps), 1),
        "transaction_worst_ms": round(1e3 * max(steps), 1),
        **_waits("accept_100_alone", alone),
        **_waits("accept_100_beside", waits),
    }


def _waits(name: str, seconds: list[float]) -> dict[str, float]:
    return {
        f"{name}_median_ms": round(1e3 * median(seconds), 1),
        f"{name}_p99_ms": round(1e3 * quantiles(seconds, n=100)[98], 1),
    }


def main() -> None:
    """Measure, and print a line for each figure and one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=30_000)
    found = measure(parser.parse_args().documents)
    for name, value in found.items():
        print(f"{name:32} {value:>10}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
