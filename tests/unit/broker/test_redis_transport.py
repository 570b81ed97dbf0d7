"""What is in hand while Redis cannot be told that it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kombu.transport import virtual
from redis.exceptions import ConnectionError as RedisConnectionError

from broker.redis_transport import QoS


class Away:
    """A channel whose Redis does not answer."""

    @contextmanager
    def conn_or_acquire(self, _client: object = None) -> Iterator[None]:
        raise RedisConnectionError("away")
        yield


@pytest.mark.parametrize(
    "end",
    [
        lambda qos: qos.ack("a tag"),
        lambda qos: qos.reject("a tag"),
        lambda qos: qos.reject("a tag", requeue=True),
    ],
)
def test_a_message_that_is_done_makes_room_for_another(end: Callable[[QoS], None]) -> None:
    qos = QoS(Away(), prefetch_count=1)
    qos.restore_at_shutdown = False
    virtual.QoS.append(qos, "a message", "a tag")
    assert not qos.can_consume()
    with pytest.raises(RedisConnectionError):
        end(qos)
    assert qos.can_consume()
