"""Publishing and queue depth, over Redis and RabbitMQ, and a worker that takes what was published."""

import json
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Queue

from broker.publisher import Publisher
from broker.queues import (
    CLASSIFY,
    DEAD,
    DELIVERIES,
    INGEST,
    RECOGNISE,
    celery_app,
    declared_queues,
    task_name,
)
from broker.redis_client import connect
from broker.settings import Settings
from linkner.errors import ConfigurationError, UnavailableError
from tests.contract import recording_worker
from tests.contract.recording_worker import LATER, STOPPING, UNLUCKY
from tests.support.waiting import wait_until


@pytest.fixture
def settings(broker_url: str) -> Iterator[Settings]:
    yield from _settings(broker_url)


def _settings(broker_url: str) -> Iterator[Settings]:
    settings = Settings(broker_url=broker_url, key_prefix=f"test-{uuid.uuid4().hex[:12]}:")
    yield settings
    with celery_app(settings).connection_for_write() as connection:
        for queue in declared_queues(settings).values():
            bound = queue(connection.default_channel)
            bound.delete()


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(celery_app(settings), declared_queues(settings))
    yield publisher
    publisher.close()


def test_depth_counts_waiting_messages_of_one_queue(publisher: Publisher) -> None:
    assert publisher.depth(RECOGNISE) == 0
    publisher.send(RECOGNISE, [1, 2, 3])
    publisher.send(RECOGNISE, [4])
    publisher.send(CLASSIFY, [7])
    assert (publisher.depth(RECOGNISE), publisher.depth(CLASSIFY)) == (2, 1)


def test_two_systems_on_one_server_do_not_mix(publisher: Publisher, settings: Settings) -> None:
    other_settings = settings.model_copy(update={"key_prefix": f"other-{uuid.uuid4().hex[:12]}:"})
    other = Publisher(celery_app(other_settings), declared_queues(other_settings))
    publisher.send(RECOGNISE, [1])
    assert other.depth(RECOGNISE) == 0
    other.close()


def test_a_worker_takes_each_message_once(publisher: Publisher, settings: Settings, tmp_path: Path) -> None:
    publisher.send(CLASSIFY, [1])
    publisher.send(CLASSIFY, [2, 3])
    publisher.send_posts([{"text": "hello"}])
    output = what_a_worker_prints(settings, tmp_path, until=3)
    assert sorted(line for line in output if line.startswith("received")) == [
        "received (1,)",
        "received (2, 3)",
        "received [{'text': 'hello'}]",
    ]
    assert publisher.depth(CLASSIFY) == 0


def test_ids_that_cannot_be_handled_now_stop_nothing(
    publisher: Publisher, settings: Settings, tmp_path: Path
) -> None:
    publisher.send(CLASSIFY, [UNLUCKY])
    publisher.send(CLASSIFY, [2])
    output = "\n".join(what_a_worker_prints(settings, tmp_path, until=1))
    assert "action=failed queue=classify error=the store is away" in output
    assert "received (2,)" in output


def test_ids_that_a_stopping_process_takes_no_more_go_back_to_their_queue(
    publisher: Publisher, settings: Settings, tmp_path: Path
) -> None:
    publisher.send(CLASSIFY, [STOPPING])
    assert f"received {(STOPPING,)}" in what_a_worker_prints(settings, tmp_path, until=1)
    assert publisher.depth(CLASSIFY) == 0


def test_posts_that_cannot_be_handled_now_come_again(
    publisher: Publisher, settings: Settings, tmp_path: Path
) -> None:
    publisher.send_posts([LATER])
    output = what_a_worker_prints(settings, tmp_path, until=1)
    assert "action=requeued queue=ingest" in "\n".join(output)
    assert f"received {[LATER]}" in output
    assert publisher.depth(INGEST) == 0


def test_what_no_task_can_use_is_parked_and_stops_nothing(
    publisher: Publisher, settings: Settings, tmp_path: Path
) -> None:
    app = celery_app(settings)
    queue = declared_queues(settings)[CLASSIFY]
    task = {"task": task_name(CLASSIFY), "id": "1"}
    with app.connection_for_write() as connection:
        queue(connection.default_channel).declare()
        send = partial(connection.Producer(serializer="json").publish, routing_key=queue.name)
        send([[{"v": 99, "ids": [5]}], {}, {}], headers=task)
        send([[1, 2], {}, {}], headers=task)
        send([[], {"message": 3}, {}], headers=task)
        send([[6], {}, {}], headers={"task": "linkner.unheard", "id": "1"})
        send({"hello": "there"})
        send(7, headers=task)
        send("{cut", headers=task, content_type="application/json", content_encoding="utf-8")
        send("cos\nsystem", headers=task, content_type="application/x-python-serialize", serializer=None)
    publisher.send(CLASSIFY, [2])
    output = what_a_worker_prints(settings, tmp_path, until=1)
    parked = sorted(line.split(":")[0] for line in output if line.startswith("parked "))
    assert len(parked) == 8, output
    assert "parked classify {'v': 99, 'ids': [5]}: unknown message version; expected 1 to 1; got 99" in output
    assert "parked classify 6: no task is named 'linkner.unheard'" in output
    assert publisher.depth(CLASSIFY) == 0


_ENVELOPE: dict[str, Any] = {
    "body": "W10=",
    "headers": {},
    "properties": {
        "body_encoding": "base64",
        "delivery_tag": "1",
        "delivery_info": {"exchange": "", "routing_key": CLASSIFY},
    },
}
_NO_ENVELOPES = [
    b"garbage{",
    b"\xff\xfe",
    b"[" * 100_000,
    b"7",
    b"{}",
    json.dumps({**_ENVELOPE, "body": "W"}).encode(),
    json.dumps({**_ENVELOPE, "headers": None}).encode(),
    json.dumps({**_ENVELOPE, "properties": {"delivery_tag": "1"}}).encode(),
    json.dumps({**_ENVELOPE, "properties": {**_ENVELOPE["properties"], "delivery_tag": {}}}).encode(),
]


def test_what_is_no_envelope_of_celerys_is_parked_and_stops_nothing(redis_url: str, tmp_path: Path) -> None:
    for settings in _settings(redis_url):
        publisher = Publisher(celery_app(settings), declared_queues(settings))
        with connect(redis_url) as client:
            client.lpush(f"{settings.key_prefix}{CLASSIFY}", *_NO_ENVELOPES)
        publisher.send(CLASSIFY, [2])
        output = what_a_worker_prints(settings, tmp_path, until=1, parked=len(_NO_ENVELOPES))
        parked = [line for line in output if line.startswith("parked classify ")]
        assert len(parked) == len(_NO_ENVELOPES)
        assert "parked classify 'garbage{': it is no task" in parked
        assert "parked classify '\\\\xff\\\\xfe': it is no task" in parked
        assert publisher.depth(CLASSIFY) == 0
        publisher.close()


@pytest.fixture
def on_rabbitmq(rabbitmq_url: str) -> Iterator[Settings]:
    yield from _settings(rabbitmq_url)


def test_rabbitmq_hands_on_what_it_delivered_too_often_and_it_is_parked(
    on_rabbitmq: Settings, tmp_path: Path
) -> None:
    publisher = Publisher(celery_app(on_rabbitmq), declared_queues(on_rabbitmq))
    publisher.send(CLASSIFY, [5])
    publisher.depth(DEAD)  # declares it
    with celery_app(on_rabbitmq).connection_for_read() as connection:
        queue = declared_queues(on_rabbitmq)[CLASSIFY](connection.default_channel)
        deliveries = 0
        while message := queue.get():
            deliveries += 1
            message.requeue()
    assert deliveries == DELIVERIES + 1
    assert wait_until(lambda: publisher.depth(DEAD) == 1)
    output = what_a_worker_prints(on_rabbitmq, tmp_path, until=0, parked=1)
    assert any(
        line.startswith("parked classify {'v': 1, 'ids': [5]}: it was delivered too often") for line in output
    )
    assert publisher.depth(DEAD) == 0
    publisher.close()


class TestConfirm:
    """A message that RabbitMQ does not take is known not to have been sent."""

    def _send_two_to_a_full_queue(self, settings: Settings, app: Celery) -> int:
        name = f"{settings.key_prefix}full"
        arguments = {"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"}
        full = Queue(name, routing_key=name, queue_arguments=arguments)
        app.amqp.queues.add(full)
        publisher = Publisher(app, {CLASSIFY: full})
        try:
            publisher.send(CLASSIFY, [1])
            publisher.send(CLASSIFY, [2])
            wait_until(lambda: publisher.depth(CLASSIFY) > 0)  # unconfirmed ones are still on their way
            return publisher.depth(CLASSIFY)
        finally:
            publisher.close()
            with app.connection_for_write() as connection:
                full(connection.default_channel).delete()

    def test_intact(self, on_rabbitmq: Settings) -> None:
        with pytest.raises(UnavailableError, match="message broker"):
            self._send_two_to_a_full_queue(on_rabbitmq, celery_app(on_rabbitmq))

    def test_switched_off(self, on_rabbitmq: Settings) -> None:
        app = celery_app(on_rabbitmq)
        app.conf.broker_transport_options = {"confirm_publish": False}
        assert self._send_two_to_a_full_queue(on_rabbitmq, app) == 1, "the second is lost, and nobody knows"


def test_a_broker_that_is_away_is_unavailable() -> None:
    settings = Settings(broker_url="redis+socket:///nowhere/redis.sock")
    publisher = Publisher(celery_app(settings), declared_queues(settings))
    with pytest.raises(UnavailableError, match="message broker"):
        publisher.send(RECOGNISE, [1])
    with pytest.raises(UnavailableError, match="message broker"):
        publisher.depth(RECOGNISE)


def test_no_broker_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="LINKNER_BROKER_URL"):
        celery_app(Settings())


def test_only_json_is_ever_accepted(settings: Settings) -> None:
    configuration = celery_app(settings).conf
    assert configuration.accept_content == ["json"]
    assert configuration.task_serializer == "json"


def test_a_worker_that_waits_for_messages_stops_soon(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    process = recording_worker.start(settings, log)
    assert wait_until(lambda: " ready." in log.read_text(), within_s=60), log.read_text()
    process.stop(within_s=5)  # and is killed then
    assert process.returncode() == 0, log.read_text()


def what_a_worker_prints(settings: Settings, folder: Path, *, until: int, parked: int = 0) -> list[str]:
    """Run a worker until it has received (and parked) that many messages, then stop it in good order."""
    log = folder / "worker.log"
    process = recording_worker.start(settings, log, LINKNER_HEARTBEAT_FILE=str(folder / "alive"))

    def is_done() -> bool:
        text = log.read_text()
        return text.count("received ") >= until and text.count("parked ") >= parked

    assert wait_until(is_done, within_s=60), log.read_text()
    assert (folder / "alive").exists()
    process.stop(within_s=20)
    assert process.returncode() == 0, log.read_text()
    return log.read_text().splitlines()
