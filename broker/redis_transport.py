"""Celery's transport over Redis, which also delivers what is no message of its own, so that it can be parked.

kombu trusts what it takes from a list: an entry that it cannot read ends the worker, and is lost with it.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from kombu.transport import redis
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


class Channel(redis.Channel):  # type: ignore[misc]
    def _get_client(self) -> Any:
        return partial(Client, channel=self, global_keyprefix=self.global_keyprefix)


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel
