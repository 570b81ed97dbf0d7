"""Running the batcher's process: a step now and then until SIGTERM, in one process at a time."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import replace
from threading import Event

from broker.heartbeat import EVERY_S, beat
from linkner.errors import ServiceError
from workers.handlers.batch import BatchQuestions

log = logging.getLogger("linkner.batch")


def run_batcher(
    batching: BatchQuestions, *, may_work: Callable[[], bool], poll_s: float, heartbeat_file: str = ""
) -> None:
    """Run until SIGTERM or SIGINT, a step every `poll_s`, where `may_work` says that no other process does.

    A store or endpoint that is away is waited for. `heartbeat_file` is touched all the time.
    """
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def go_on() -> bool:
        beat(heartbeat_file)
        return not stopping.is_set()

    batching = replace(batching, go_on=go_on, may_work=may_work)
    log.info("action=started")
    while go_on():
        try:
            counts = batching.step() if may_work() else {}
        except ServiceError as error:
            log.warning("action=waiting error=%s", error)
            batching.note("batcher", error)
        else:
            if counts:
                log.info("action=stepped %s", " ".join(f"{kind}={n}" for kind, n in counts.items()))
        _wait(poll_s, stopping, go_on)
    log.info("action=stopped")


def _wait(seconds: float, stopping: Event, go_on: Callable[[], bool]) -> None:
    """Wait in pieces, with a sign of life between them."""
    while seconds > 0 and go_on():
        stopping.wait(min(seconds, EVERY_S))
        seconds -= EVERY_S
