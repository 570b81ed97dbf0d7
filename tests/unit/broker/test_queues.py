"""The broker's URL is looked at before anything connects, and no error shows its password."""

from __future__ import annotations

import pytest

from broker.queues import celery_app
from broker.settings import Settings
from linkner.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    [
        "amqp://linkner:secret@host:5672//",
        "amqps://linkner:secret@host/vhost",
        "redis://:secret@host:6379/0",
        "rediss://host",
        "redis+socket:///tmp/redis.sock?virtual_host=1",
        "amqp://one:5672;amqp://two:5672",
    ],
)
def test_what_is_served_is_taken(url: str) -> None:
    assert celery_app(Settings(broker_url=url)).conf.broker_url


@pytest.mark.parametrize(
    "url",
    [
        "foo://linkner:secret@host",
        "secret@host:5672",
        "sqs://linkner:secret@",
        "amqp://linkner:sec/ret@host",
        "redis://host:99999",
        "redis://[::1",
        "amqp://one;foo://linkner:secret@two",
    ],
)
def test_another_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the message broker's URL cannot be used") as caught:
        celery_app(Settings(broker_url=url))
    assert "sec" not in str(caught.value)
