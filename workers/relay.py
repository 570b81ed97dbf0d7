"""Running the relay's process: step after step until SIGTERM, whatever the store or the broker do."""

from __future__ import annotations

import logging
import signal
from threading import Event

from broker.heartbeat import beat
from linkner.errors import ServiceError
from workers.handlers.relay import Relay

log = logging.getLogger("linkner.relay")

_PAUSE_S = 1.0


def run_relay(relay: Relay, *, heartbeat_file: str = "") -> None:
    """Run until SIGTERM or SIGINT. A store or broker that is away is waited for; nothing is lost.

    `heartbeat_file` is touched at every step.
    """
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    log.info("action=started")
    while not stopping.is_set():
        beat(heartbeat_file)
        try:
            counts = {kind: count for kind, count in relay.step().items() if count}
        except ServiceError as error:
            log.warning("action=waiting error=%s", error)
            relay.note("relay", error)
            stopping.wait(_PAUSE_S)
        else:
            if counts:
                log.info("action=moved %s", " ".join(f"{kind}={count}" for kind, count in counts.items()))
    log.info("action=stopped")
