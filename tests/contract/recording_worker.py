"""A worker process that prints what its handlers were given and what was parked; run by test_publisher and
test_broker_away."""

import logging
import os
import sys
from pathlib import Path
from threading import Event
from typing import Any

from broker.consumer import parking_consumer
from broker.queues import CLASSIFY, INGEST, celery_app, name_prefix
from broker.settings import Settings, load_settings
from broker.worker import consume
from linkner.errors import StoppedError, UnavailableError
from tests.support.waiting import wait_until
from workers.ports import forget
from workers.stack.guarded import GuardedProcess
from workers.tasks import register_ids_task, register_posts_task

UNLUCKY = 13
"""The id whose handler fails as if the store were away."""

STOPPING = 17
"""The id whose handler says at the first attempt that its process stops."""

HELD = 19
"""Ids that begin with it are in hand until there is the file that LINKNER_TEST_RELEASE names."""

AT_ONCE = 2
"""How many messages it has in hand at the most."""

LATER = "the store is away at the first attempt"
"""Posts that say so find the store away once."""

been_away, has_stopped = Event(), Event()


def start(settings: Settings, log: Path, **environment: str) -> GuardedProcess:
    """A process of this module on the settings' broker."""
    return GuardedProcess(
        [sys.executable, "-m", "tests.contract.recording_worker"],
        log=log,
        env={
            **os.environ,
            "LINKNER_BROKER_URL": settings.broker,
            "LINKNER_KEY_PREFIX": settings.key_prefix,
            **environment,
        },
    )


def record(received: Any) -> None:
    if received == (STOPPING,) and not has_stopped.is_set():
        has_stopped.set()
        raise StoppedError("this process stops")
    if received == (UNLUCKY,) or (received == [LATER] and not been_away.is_set()):
        been_away.set()
        raise UnavailableError("the store is away")
    say(f"received {received}")
    if received[0] == HELD:
        assert wait_until(Path(os.environ["LINKNER_TEST_RELEASE"]).exists, within_s=60)


def park(queue: str, message: object, error: str) -> None:
    say(f"parked {queue} {message!r}: {error}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    settings = load_settings()
    app = celery_app(settings)
    app.conf.worker_consumer = parking_consumer(park, prefix=name_prefix(settings))
    register_ids_task(app, CLASSIFY, record, park=park, note=forget)
    register_posts_task(app, record, park=park, note=forget)
    raise SystemExit(consume(app, [CLASSIFY, INGEST], settings=settings, at_once=AT_ONCE))
