"""The real worker process on the `ingest` queue: posts that another service enqueues are accepted."""

import os
import sys
from pathlib import Path

from sqlalchemy import Engine

from broker.settings import Settings
from tests.support.waiting import wait_until
from workers.bootstrap import publisher
from workers.stack.guarded import GuardedProcess
from workers.store.reader import PostgresReader


def test_enqueued_posts_reach_the_store(
    database_url: str, engine: Engine, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=database_url, redis_url=redis_url, key_prefix=redis_prefix)
    posts = [{"source": "test", "external_id": str(number), "text": "Ada in Oslo"} for number in range(3)]
    publisher(settings).send_posts([*posts, {"source": "test"}, posts[0]])
    log, reader = tmp_path / "worker.log", PostgresReader(engine)
    worker = GuardedProcess(
        [sys.executable, "-m", "workers.cli", "worker", "ingest"],
        log=log,
        env={
            **os.environ,
            "LINKNER_POSTGRES_URL": database_url,
            "LINKNER_REDIS_URL": redis_url,
            "LINKNER_KEY_PREFIX": redis_prefix,
        },
    )
    try:
        assert wait_until(lambda: reader.unfinished() == 3, within_s=60), log.read_text()
    finally:
        worker.stop(within_s=30)
    assert worker.returncode() == 0
    assert log.read_text().count("action=refused") == 1
    found = reader.find(source="test", external_id="2")
    assert found is not None
    assert (found.text, found.status) == ("Ada in Oslo", "accepted")
