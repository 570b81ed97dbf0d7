"""The real worker process on the `ingest` queue: posts that another service enqueues are accepted."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from broker.settings import Settings
from tests.support.waiting import wait_until
from workers.bootstrap import publisher
from workers.stack.guarded import GuardedProcess
from workers.store.database import connect
from workers.store.migrating import migrate
from workers.store.reader import PostgresReader

POSTS = [{"source": "test", "external_id": str(number), "text": "Ada in Oslo"} for number in range(3)]


@contextmanager
def ingesting(settings: Settings, log: Path) -> Iterator[None]:
    """A worker on the queue, which is to end in good order."""
    worker = GuardedProcess(
        [sys.executable, "-m", "workers.cli", "worker", "ingest"],
        log=log,
        env={
            **os.environ,
            "LINKNER_POSTGRES_URL": settings.postgres_url,
            "LINKNER_REDIS_URL": settings.redis_url,
            "LINKNER_KEY_PREFIX": settings.key_prefix,
        },
    )
    try:
        yield
    finally:
        worker.stop(within_s=30)
    assert worker.returncode() == 0


def test_enqueued_posts_reach_the_store(
    database_url: str, engine: Engine, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=database_url, redis_url=redis_url, key_prefix=redis_prefix)
    publisher(settings).send_posts([*POSTS, {"source": "test"}, POSTS[0]])
    log, reader = tmp_path / "worker.log", PostgresReader(engine)
    with ingesting(settings, log):
        assert wait_until(lambda: reader.unfinished() == 3, within_s=60), log.read_text()
    assert log.read_text().count("action=refused") == 1
    found = reader.find(source="test", external_id="2")
    assert found is not None
    assert (found.text, found.status) == ("Ada in Oslo", "accepted")


def test_posts_wait_for_a_database_that_is_not_migrated_yet(
    empty_database_url: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=empty_database_url, redis_url=redis_url, key_prefix=redis_prefix)
    publisher(settings).send_posts(POSTS)
    log = tmp_path / "worker.log"
    with ingesting(settings, log):
        assert wait_until(lambda: "linkner migrate" in log.read_text(), within_s=60), log.read_text()
        migrate(empty_database_url)
        engine = connect(empty_database_url)
        reader = PostgresReader(engine)
        assert wait_until(lambda: reader.unfinished() == 3, within_s=60), log.read_text()
        assert reader.counts().parked == 0
        engine.dispose()
