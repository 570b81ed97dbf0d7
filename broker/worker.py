"""Running a worker process: Celery with a thread pool, until SIGTERM."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from celery import Celery

from broker.heartbeat import beat_in_worker
from broker.queues import consumed
from broker.settings import Settings


def consume(
    app: Celery, queues: Sequence[str], *, settings: Settings, at_once: int, log_level: str = "INFO"
) -> int:
    """Run the application's tasks on these queues; on SIGTERM finish what is in hand; the exit code.

    Threads, not processes: the work is waiting for sockets, and one process shares its connection pools.
    """
    beat_in_worker(app, settings.heartbeat_file)
    worker = app.Worker(
        pool="threads",
        concurrency=at_once,
        queues=consumed(settings, queues),
        hostname=f"{'-'.join(queues)}-{os.getpid()}@{socket.gethostname()}",
        loglevel=log_level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
