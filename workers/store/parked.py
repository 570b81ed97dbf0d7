"""Messages that no worker could use, kept until an operator sends them again or drops them."""

from __future__ import annotations

import hashlib
import json
import logging

from sqlalchemy import Connection, Engine, text

from linkner.errors import UnavailableError
from workers.store.database import in_transaction
from workers.store.sql import storable, storable_error

log = logging.getLogger("linkner.store")

_QUEUE_CHARS = 200

_PARK = text("""
    INSERT INTO parked_messages (queue, digest, body, error) VALUES (:queue, :digest, :body, :error)
    ON CONFLICT (queue, digest) DO UPDATE
    SET times = parked_messages.times + 1, parked_at = now(), error = excluded.error
""")


class PostgresParking:
    """Parked messages in PostgreSQL; thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def park(self, queue: str, message: object, error: str) -> None:
        """Keep the message; the same one again is counted, not kept twice.

        Raises:
            UnavailableError: it was not kept, for whatever reason. It may be nowhere else, so whoever has it
                keeps it.
        """
        try:
            body = json.dumps(message, default=ascii)
            in_transaction(self._engine, _park, queue=queue, body=body, error=error)
        except UnavailableError:
            raise
        except Exception as defect:
            kind = type(getattr(defect, "orig", defect)).__name__  # its message may quote the body
            raise UnavailableError("the message cannot be parked", got=kind) from defect
        log.error("action=parked queue=%s error=%s", queue, error)


def _park(connection: Connection, *, queue: str, body: str, error: str) -> None:
    values = {
        "queue": storable(queue, limit=_QUEUE_CHARS),
        "digest": hashlib.sha256(body.encode()).hexdigest(),
        "body": body,
        "error": storable_error(error),
    }
    connection.execute(_PARK, values)
