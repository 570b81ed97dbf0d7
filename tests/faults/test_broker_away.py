"""A Redis that goes away while a worker has as many messages in hand as it may have."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.publisher import Publisher
from broker.queues import CLASSIFY, celery_app, declared_queues
from broker.settings import Settings
from tests.contract import recording_worker
from tests.contract.recording_worker import AT_ONCE, HELD
from tests.support.folders import server_folder
from tests.support.waiting import wait_until
from workers.stack.embedded import embedded_redis


@pytest.mark.timeout(180)
def test_a_worker_whose_messages_end_while_redis_is_away_takes_others_when_it_is_back(tmp_path: Path) -> None:
    log, release = tmp_path / "worker.log", tmp_path / "release"
    with server_folder() as folder, ExitStack() as first:
        settings = Settings(broker_url=first.enter_context(embedded_redis(folder)), key_prefix="away:")
        publisher = Publisher(celery_app(settings), declared_queues(settings))
        worker = recording_worker.start(settings, log, LINKNER_TEST_RELEASE=str(release))
        try:
            for number in range(1, AT_ONCE + 1):
                publisher.send(CLASSIFY, [HELD, number])
            assert wait_until(lambda: log.read_text().count(f"received ({HELD},") == AT_ONCE, within_s=60)
            first.close()
            release.touch()
            assert wait_until(lambda: log.read_text().count("Couldn't ack") == AT_ONCE), log.read_text()
            with embedded_redis(folder):
                publisher.close()
                publisher.send(CLASSIFY, [7])
                assert wait_until(lambda: "received (7,)" in log.read_text(), within_s=30), log.read_text()
        finally:
            worker.stop(within_s=20)
