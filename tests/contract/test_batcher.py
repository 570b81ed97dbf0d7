"""The batcher as a process of its own: from PostgreSQL to a batch API and back, and one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.contract.test_simulate_batches import POST, simulating
from tests.support.waiting import wait_until
from workers.ports import NewDocument, Recognised
from workers.simulate_llm.behaviour import Behaviour
from workers.store.database import BATCHER_LOCK, connect
from workers.store.only_one import OnlyOne
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

ROOT = Path(__file__).parents[2]


@contextmanager
def batcher(env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "workers.cli", "batcher"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | env, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(engine: Engine, count: int) -> PostgresReader:
    """So many documents with the same question in the batch lane."""
    store, span = PostgresStore(engine), Span(0, 11)
    accepted = store.accept([NewDocument("test", str(number), POST) for number in range(count)])
    scored = ScoredSpan(span, "product", 0.6, 0.4, {OUTSIDE: 0.4, "product": 0.6})
    store.record_recognised(
        [
            Recognised(new.document_id, "m", Recognition((scored,), ()), ((scored,),), lane="batch")
            for new in accepted
        ]
    )
    return PostgresReader(engine)


def test_questions_are_answered_in_a_batch_and_the_process_stops_when_told(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    reader = ask(engine, 3)
    beat = tmp_path / "beat"
    with simulating(Behaviour(batch_s=0.5)) as simulated:
        env = {
            "LINKNER_POSTGRES_URL": database_url,
            "LINKNER_LLM_BASE_URL": str(simulated.base_url),
            "LINKNER_BATCH_AFTER_S": "0",
            "LINKNER_BATCH_POLL_S": "0.2",
            "LINKNER_HEARTBEAT_FILE": str(beat),
        }
        with batcher(env) as process:
            assert wait_until(lambda: reader.counts().questions == {"answered": 3}, within_s=60.0)
            assert beat.exists()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    assert reader.cache().from_cache == 2
    (row,) = reader.costs("model", within_s=3600.0)
    assert (row.calls, row.replayed) == (1, 1)


def test_without_an_endpoint_it_says_what_is_missing(database_url: str) -> None:
    with batcher({"LINKNER_POSTGRES_URL": database_url, "LINKNER_LLM_BASE_URL": ""}) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "LINKNER_LLM_BASE_URL" in errors


class TestOnlyOne:
    def test_a_second_process_stands_by_until_the_first_is_gone(self, engine: Engine) -> None:
        first, second = (OnlyOne(engine, key=BATCHER_LOCK) for _ in range(2))
        assert [first.is_held(), second.is_held()] == [True, False]
        assert [first.is_held(), second.is_held()] == [True, False]
        first.close()
        assert wait_until(second.is_held)
        assert not first.is_held()
        first.close()
        second.close()

    def test_a_lost_connection_loses_the_lock(self, engine: Engine, database_url: str) -> None:
        elsewhere = connect(database_url, pool_size=1)
        lock = OnlyOne(elsewhere, key=BATCHER_LOCK)
        assert lock.is_held()
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
                f" WHERE locktype = 'advisory' AND objid = {BATCHER_LOCK}"
            )
        with pytest.raises(Exception, match="PostgreSQL cannot answer now"):
            lock.is_held()
        assert wait_until(lock.is_held), "it is free again, and taken with another connection"
        lock.close()
        elsewhere.dispose()
