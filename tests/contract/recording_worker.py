"""A worker process whose handlers print what they were given; run by test_publisher."""

import logging
import sys
from typing import Any

from broker.queues import CLASSIFY, INGEST, celery_app
from broker.settings import load_settings
from broker.worker import consume
from linkner.errors import UnavailableError
from workers.tasks import register_ids_task, register_posts_task

UNLUCKY = 13
"""The id whose handler fails as if the store were away."""


def record(received: Any) -> None:
    if received == (UNLUCKY,):
        raise UnavailableError("the store is away")
    sys.stdout.write(f"received {received}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    settings = load_settings()
    app = celery_app(settings)
    register_ids_task(app, CLASSIFY, record)
    register_posts_task(app, record)
    raise SystemExit(consume(app, [CLASSIFY, INGEST], settings=settings, slots=2))
