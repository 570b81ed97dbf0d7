"""Publishing to the queues, and how many messages wait in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from celery import Celery
from kombu import Connection, Queue
from kombu.exceptions import KombuError

from broker.messages import encode_ids, encode_posts
from broker.queues import INGEST, task_name
from linkner.errors import InputError, UnavailableError

TIMEOUT_S = 10
"""How long a publisher waits for RabbitMQ; Redis has the like in its transport options."""


class Publisher:
    """Hands messages to the broker over one connection of its own; safe to share between threads."""

    def __init__(self, app: Celery, queues: Mapping[str, Queue]) -> None:
        self._app = app
        self._queues = queues
        self._lock = Lock()
        self._connection: Connection | None = None

    def send(self, stage: str, ids: Sequence[int]) -> None:
        """Publish one message of ids to the queue of that name.

        Raises:
            UnavailableError: where the broker did not take it.
        """
        self._publish(stage, encode_ids(ids))

    def send_posts(self, posts: Sequence[Any]) -> None:
        """Publish posts to the `ingest` queue. They are accepted once a worker has committed them.

        Raises:
            InputError: one of them is not plain JSON; none is sent.
            UnavailableError: where the broker did not take them.
        """
        self._publish(INGEST, encode_posts(posts))

    def send_again(self, queue: str, message: Any) -> None:
        """Publish a message as it once came; the queue is one of those given.

        Raises:
            InputError: there is no such queue.
        """
        if queue not in self._queues:
            raise InputError("a message of an unknown queue", expected=", ".join(self._queues), got=queue)
        self._publish(queue, message)

    def depth(self, stage: str) -> int:
        """Messages that wait in the queue, without those that workers hold.

        Raises:
            UnavailableError: where the broker cannot be asked.
        """
        with self._connected() as connection:
            declared = self._queues[stage](connection.default_channel).queue_declare()
            return int(declared.message_count)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            self._drop()

    def _publish(self, queue_name: str, message: Any) -> None:
        with self._connected() as connection:
            self._app.send_task(
                task_name(queue_name),
                args=[message],
                queue=self._queues[queue_name].name,
                connection=connection,
                retry=False,
            )

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection, one user at a time; the broker's errors become UnavailableError here."""
        with self._lock:
            self._connection = connection = self._connection or self._open()
            try:
                yield connection
            except (KombuError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
                self._drop()
                raise UnavailableError(
                    "the message broker did not answer",
                    got=type(error).__name__,
                    hint="check LINKNER_BROKER_URL and that the broker runs",
                ) from error

    def _open(self) -> Connection:
        connection = self._app.connection_for_write()
        if connection.transport.driver_type == "amqp":
            # Without time-outs a confirmation on a dead link would be waited for without end.
            connection.transport_options.update(read_timeout=TIMEOUT_S, write_timeout=TIMEOUT_S)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.release()
            self._connection = None
