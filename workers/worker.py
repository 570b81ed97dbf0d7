"""Running a worker process: Celery with a thread pool, until SIGTERM."""

from __future__ import annotations

from collections.abc import Sequence

from broker.queues import QUEUE_NAMES
from broker.settings import Settings
from linkner.errors import ConfigurationError
from workers.bootstrap import slots, worker_app


def run_worker(queues: Sequence[str], *, settings: Settings, log_level: str = "INFO") -> int:
    """Handle the messages of these queues; on SIGTERM finish what is in hand, then return the exit code.

    Threads, not processes: the work is waiting for sockets, and one process shares its connection pools.

    Raises:
        ConfigurationError: for an unknown queue or a missing setting.
    """
    unknown = [queue for queue in queues if queue not in QUEUE_NAMES]
    if unknown or not queues:
        raise ConfigurationError(
            "unknown queue", expected=f"some of {', '.join(QUEUE_NAMES)}", got=", ".join(unknown) or "none"
        )
    worker = worker_app(settings, queues).Worker(
        pool="threads",
        concurrency=slots(settings, queues),
        queues=list(queues),
        hostname=f"{'-'.join(queues)}@%h",
        loglevel=log_level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
