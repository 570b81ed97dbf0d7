"""Celery's transport over Redis, which also delivers what is no message of its own, so that it can be parked,
and which goes on after a message that was done while Redis was away.

kombu trusts what it takes from a list: an entry that it cannot read ends the worker, and is lost with it. And
one whose acknowledgement failed is in hand for ever, while there is a number that may be in hand at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from kombu.transport import redis, virtual
from kombu.utils.json import dumps, loads


class Client(redis.PrefixedStrictRedis):  # type: ignore[misc]
    """Puts an entry that cannot be read into an envelope of its own."""

    def __init__(self, *, channel: Channel, **options: Any) -> None:
        super().__init__(**options)
        self._channel = channel

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        found = super().parse_response(connection, command_name, **options)
        if command_name != "BRPOP" or not found or self._can_read(found[1]):
            return found
        key, entry = found
        return key, _in_an_envelope(entry, queue=key.decode().split(self._channel.sep)[0])

    def _can_read(self, entry: bytes) -> bool:
        """Whether the channel can deliver it and give it back to its queue."""
        try:
            envelope = loads(entry.decode())
            message = self._channel.Message(envelope, channel=self._channel)
            place = message.delivery_info
            names = message.delivery_tag, place["exchange"], place["routing_key"]
            return isinstance(envelope["headers"], dict) and all(isinstance(name, str) for name in names)
        except Exception:
            return False


def _in_an_envelope(entry: bytes, *, queue: str) -> bytes:
    envelope = {
        "body": dumps(entry.decode(errors="backslashreplace")),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "delivery_tag": str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }
    return dumps(envelope).encode()  # type: ignore[no-any-return]


class QoS(redis.QoS):  # type: ignore[misc]
    """Counts a message as done also where Redis cannot be told so.

    Redis hands it out again after the visibility timeout, as one whose worker died. kombu would count it as
    in hand for as long as the process lives: with as many of them as may be in hand at once, a worker takes
    no more, and does not even notice that its connection has ended.
    """

    def ack(self, delivery_tag: str) -> None:
        with self._counted(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        with self._counted(delivery_tag):
            super().reject(delivery_tag, requeue=requeue)

    @contextmanager
    def _counted(self, delivery_tag: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            virtual.QoS.ack(self, delivery_tag)  # only counts it
            raise


class Channel(redis.Channel):  # type: ignore[misc]
    QoS = QoS

    def _get_client(self) -> Any:
        return partial(Client, channel=self, global_keyprefix=self.global_keyprefix)


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel
