"""The Celery application and its four queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES

from broker.settings import Settings
from broker.tls import verified
from linkner.errors import ConfigurationError

INGEST = "ingest"
RECOGNISE = "recognise"
CLASSIFY = "classify"
AGGREGATE = "aggregate"
QUEUE_NAMES = (INGEST, RECOGNISE, CLASSIFY, AGGREGATE)

SCHEMES = ("amqp", "amqps", "pyamqp", "redis", "rediss", "redis+socket")
"""What a broker's URL may begin with."""

DEAD = "dead"
"""Where RabbitMQ puts a message that it has delivered too often; whoever takes posts parks it."""

DELIVERIES = 20
"""How often RabbitMQ delivers a message anew before it counts as deadly to its workers."""

INGEST_DELIVERIES = 200
"""The same for posts, which go back to their queue while the store is away: a quarter of an hour's worth."""

_TRANSPORTS = dict.fromkeys(("redis", "rediss"), "broker.redis_transport:Transport")
"""By the URL's scheme; kombu loads what it uses."""


def task_name(queue: str) -> str:
    """The one task that a queue carries."""
    return f"linkner.{queue}"


def name_prefix(settings: Settings) -> str:
    """What stands before the queues' names at the broker, so that two systems can share a server.

    On Redis it is empty: the transport puts the key prefix before every key by itself.
    """
    return "" if is_redis(settings) else settings.key_prefix


def declared_queues(settings: Settings) -> dict[str, Queue]:
    """The declaration of each queue, by its name.

    RabbitMQ's are quorum queues, which survive the loss of a node. They hand what they delivered too often on
    to the queue `dead`, and keep it until that has taken it (`at-least-once`); Redis counts no deliveries.
    """
    if is_redis(settings):
        return {name: Queue(name, routing_key=name) for name in QUEUE_NAMES}
    prefix = name_prefix(settings)
    handing_on = {
        "x-dead-letter-exchange": "",  # the default exchange: straight to the queue that the key names
        "x-dead-letter-routing-key": f"{prefix}{DEAD}",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # which that strategy asks for
    }
    queues = {
        name: _quorum_queue(
            f"{prefix}{name}",
            **handing_on,
            **{"x-delivery-limit": INGEST_DELIVERIES if name == INGEST else DELIVERIES},
        )
        for name in QUEUE_NAMES
    }
    return {**queues, DEAD: _quorum_queue(f"{prefix}{DEAD}")}


def _quorum_queue(name: str, **arguments: object) -> Queue:
    return Queue(name, routing_key=name, queue_arguments={"x-queue-type": "quorum", **arguments})


def consumed(settings: Settings, names: Sequence[str]) -> list[str]:
    """The broker's names of the queues that a worker for `names` takes messages from."""
    queues = declared_queues(settings)
    wanted = [*names, DEAD] if INGEST in names else names
    return [queues[name].name for name in wanted if name in queues]


def is_redis(settings: Settings) -> bool:
    """Whether the broker is Redis; else it is RabbitMQ."""
    return settings.broker.startswith("redis")


def celery_app(settings: Settings) -> Celery:
    """A Celery application on the configured broker, without tasks.

    Raises:
        ConfigurationError: without a broker URL, or with one that cannot be used. No message shows it: it
            holds a password.
    """
    if not settings.broker:
        raise ConfigurationError(
            "no message broker is configured",
            expected="LINKNER_BROKER_URL or LINKNER_REDIS_URL",
            hint="set one, or start everything with `linkner up`",
        )
    # There may be several: Celery goes on to the next where one is away.
    if not all(_is_usable(url) for url in settings.broker.split(";")):
        raise ConfigurationError(
            "the message broker's URL cannot be used",
            expected=" or ".join(f"{scheme}://…" for scheme in SCHEMES),
            hint="check LINKNER_BROKER_URL, else LINKNER_REDIS_URL; special characters of a password are "
            "written as %40 and the like",
        )
    url, tls = verified(settings.broker)
    TRANSPORT_ALIASES.update(_TRANSPORTS)
    app = Celery("linkner", broker=url, set_as_current=False)
    app.conf.update(_configuration(settings))
    if tls is not None:
        app.conf.broker_use_ssl = tls
    return app


def _is_usable(url: str) -> bool:
    """Whether it has a scheme that is served here, and a port that is one, if any."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in SCHEMES and port != 0


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "task_queues": list(declared_queues(settings).values()),
        "task_default_queue": declared_queues(settings)[INGEST].name,
        "task_create_missing_queues": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        # An id is acknowledged after its effect is committed; what is lost on the way is published again by
        # the relay, so Celery's own retries, results and delays are all off.
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_publish_retry": False,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_heartbeat": 30,  # RabbitMQ: a link that is dead is noticed within a minute
        "broker_transport_options": _transport_options(settings),
    }


def _transport_options(settings: Settings) -> dict[str, Any]:
    # A publish on a broker that is away fails soon: the relay tries again, and says so.
    soon = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}
    if not is_redis(settings):
        return {**soon, "confirm_publish": True}
    return {
        **soon,
        "global_keyprefix": settings.key_prefix,
        "visibility_timeout": settings.visibility_timeout_s,
        # kombu's own sweep of unacknowledged messages runs every 100 s where these are not set.
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        # Without time-outs a publish on a dead link would wait for ever.
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
