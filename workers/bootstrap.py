"""The composition root: the one place where adapters are built from settings and handed to handlers.

What only one role needs is imported where that role is built: an LLM caller loads no web framework, and only
an LLM caller loads the LLM's client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from celery import Celery
from sqlalchemy import Engine

from broker.consumer import parking_consumer
from broker.endpoints import chosen_endpoints
from broker.publisher import Publisher
from broker.queues import (
    AGGREGATE,
    CLASSIFY,
    INGEST,
    QUEUE_NAMES,
    RECOGNISE,
    celery_app,
    declared_queues,
    name_prefix,
)
from broker.settings import Settings
from broker.stopping import after_stopping, when_stopped
from linkner import calibration
from linkner.classification import Form
from linkner.classification.form_files import read_form
from linkner.detectors import Detectors
from linkner.errors import ConfigurationError
from linkner.labels import LabelSet, label_set, read_descriptions
from workers.bootstrap_llm import batch_limits, batch_llm, budget, llm_gate, llm_pool, llm_states, tariffs
from workers.clock import SystemClock
from workers.group_commit import GroupCommit
from workers.handlers.aggregate import AggregateDocuments
from workers.handlers.answering import Answering
from workers.handlers.batch import BatchQuestions
from workers.handlers.classify import ClassifyQuestions
from workers.handlers.ingest import IngestPosts
from workers.handlers.policies import Policies, Policy, read_policies
from workers.handlers.posts import PostLimits
from workers.handlers.recognise import RecogniseDocuments
from workers.handlers.relay import QueueFeed, Relay
from workers.ports import NO_LLM, Answered, Ledger, Note
from workers.slots import ThreadSlots
from workers.store.database import BATCHER_LOCK
from workers.store.database import connect as connect_postgres
from workers.store.erasing import PostgresErasure
from workers.store.outbox import PostgresOutbox
from workers.store.parked import PostgresParking
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore
from workers.store.troubles import PostgresTroubles
from workers.tasks import register_ids_task, register_posts_task

if TYPE_CHECKING:
    from fastapi import FastAPI

    from workers.store.only_one import OnlyOne

MOST_CONNECTIONS = 8
"""Connections to PostgreSQL of one worker: its slots wait for the LLM far longer than for the store, and a
server has a few hundred for all processes together."""


def engine(settings: Settings, *, connections: int) -> Engine:
    """The process's connections to PostgreSQL, opened as they are needed."""
    settings.require("postgres_url")
    return connect_postgres(settings.postgres_url, pool_size=connections)


def chosen_label_set(settings: Settings) -> LabelSet:
    """The label set of the questions, with the operator's descriptions where a file is given."""
    descriptions = read_descriptions(settings.label_descriptions) if settings.label_descriptions else None
    return label_set(settings.label_set, descriptions=descriptions)


def question_form(settings: Settings) -> Form:
    """How candidates are asked about, with the operator's template and examples where files are given."""
    return read_form(
        settings.question_form,
        label_set=chosen_label_set(settings),
        described=settings.question_descriptions,
        template=settings.question_template,
        examples=settings.question_examples,
        by=settings.question_examples_by,
        seed=settings.question_seed,
    )


def limits(settings: Settings) -> PostLimits:
    """What the gateway and the ingest queue accept."""
    return PostLimits(max_text_chars=settings.max_text_chars, max_items=settings.max_items)


def messages_at_once(queues: Sequence[str], settings: Settings) -> int:
    """How many messages a worker on these queues handles at once.

    Questions have slots of their own: a `classify` message is done when each of its questions has one.
    """
    wanted = {RECOGNISE: settings.recognise_slots, CLASSIFY: 1, AGGREGATE: 2, INGEST: 2}
    return max(wanted[queue] for queue in queues)


def _connections(queues: Sequence[str], settings: Settings) -> int:
    """To PostgreSQL: as many as there are threads, up to a number that serves them all."""
    at_once = settings.llm_slots if CLASSIFY in queues else messages_at_once(queues, settings)
    return min(at_once, MOST_CONNECTIONS)


def worker_app(settings: Settings, queues: Sequence[str]) -> Celery:
    """A Celery application with the handlers of these queues.

    Raises:
        ConfigurationError: for an unknown queue or a missing setting.
    """
    unknown = [queue for queue in queues if queue not in QUEUE_NAMES]
    if unknown:
        raise ConfigurationError(
            "unknown queue", expected=f"some of {', '.join(QUEUE_NAMES)}", got=", ".join(unknown)
        )
    app = celery_app(settings)
    connections = engine(settings, connections=_connections(queues, settings))
    store, park, note = PostgresStore(connections), PostgresParking(connections).park, _note(connections)
    app.conf.worker_consumer = parking_consumer(park, prefix=name_prefix(settings))
    if INGEST in queues:
        ingest = IngestPosts(store=store, limits=limits(settings))
        register_posts_task(app, ingest, park=park, note=note)
    if RECOGNISE in queues:
        register_ids_task(app, RECOGNISE, _recognise(settings, store, note), park=park, note=note)
    if CLASSIFY in queues:
        classify = _classify(settings, store, PostgresReader(connections), note)
        register_ids_task(app, CLASSIFY, classify, park=park, note=note)
    if AGGREGATE in queues:
        aggregate = AggregateDocuments(store=store, clock=SystemClock(), max_attempts=settings.max_attempts)
        register_ids_task(app, AGGREGATE, aggregate, park=park, note=note)
    return app


def _note(connections: Engine) -> Note:
    return PostgresTroubles(connections, clock=SystemClock()).note


def _recognise(settings: Settings, store: PostgresStore, note: Note) -> RecogniseDocuments:
    from workers.recogniser_client import HttpRecogniser

    return RecogniseDocuments(
        store=store,
        recogniser=HttpRecogniser(settings.recogniser_url, timeout_s=settings.recognise_timeout_s),
        detectors=detectors(settings),
        form=question_form(settings),
        label_set=chosen_label_set(settings),
        clock=SystemClock(),
        max_attempts=settings.max_attempts,
        policies=policies(settings),
        skip_reason=None if settings.has_llm else NO_LLM,
        note=note,
    )


def detectors(settings: Settings) -> Detectors:
    """As the settings say, with the calibration that they name or that of the default checkpoint.

    Raises:
        CheckpointError: the calibration cannot be read.
    """
    return Detectors(
        threshold=settings.threshold,
        epsilon=settings.epsilon,
        budget=settings.budget,
        calibration=calibration.read(
            Path(settings.calibration) if settings.calibration else calibration.DEFAULT_CHECKPOINT
        ),
        max_candidates=settings.max_candidates,
        proposes=question_form(settings).proposes,
    )


def _classify(settings: Settings, store: PostgresStore, ledger: Ledger, note: Note) -> ClassifyQuestions:
    endpoints, pool = chosen_endpoints(settings), llm_pool(settings, note=note)
    together = GroupCommit(store.record_answers, clock=SystemClock(), gather_s=settings.llm_gather_s)
    return ClassifyQuestions(
        answering=_answering(settings, store, model=pool.models, record=together),
        llms=pool,
        slots=_slots(settings),
        lease_s=settings.lease_s(deadline_s=endpoints.longest_deadline_s),
        budget=budget(settings, policies(settings), ledger),
        note=note,
    )


def _slots(settings: Settings) -> ThreadSlots:
    """Slots that take nothing more once the worker is told to stop; it ends when their calls have ended."""
    found = ThreadSlots(settings.llm_slots, gather_s=settings.llm_gather_s)
    after_stopping(found.stop)
    when_stopped(found.close)
    return found


def _answering(
    settings: Settings, store: PostgresStore, *, model: str, record: Callable[[Answered], bool]
) -> Answering:
    return Answering(
        store=store,
        record=record,
        form=question_form(settings),
        label_set=chosen_label_set(settings),
        model=model,
        max_attempts=settings.max_attempts,
        cache_max_age_s=settings.cache_max_age_s,
    )


def policies(settings: Settings) -> Policies:
    """How the documents of each source are asked about."""
    default = Policy(lane=settings.lane)
    by_source = read_policies(settings.sources, default=default) if settings.sources else {}
    return Policies(default=default, by_source=by_source, batch_deadline_s=settings.batch_deadline_s)


def batcher(settings: Settings) -> tuple[BatchQuestions, OnlyOne]:
    """What asks the questions of the batch lane, and the lock that lets one process do so."""
    from workers.store.batching import PostgresBatches
    from workers.store.only_one import OnlyOne

    connections = engine(settings, connections=2)
    store = PostgresStore(connections)
    tariff, *_ = tariffs(settings)
    gate, spend = batch_limits(settings)
    batching = BatchQuestions(
        answering=_answering(
            settings, store, model=tariff.model, record=lambda one: store.record_answers([one])[0]
        ),
        batches=PostgresBatches(connections),
        llm=batch_llm(settings),
        tariff=tariff,
        budget=budget(settings, policies(settings), PostgresReader(connections)),
        at_least=settings.batch_at_least,
        at_most=settings.batch_at_most,
        after_s=settings.batch_after_s,
        revise_late=settings.late_answers == "revise",
        is_shut=gate.is_shut,
        spend=spend,
        note=_note(connections),
    )
    return batching, OnlyOne(connections, key=BATCHER_LOCK)


def publisher(settings: Settings) -> Publisher:
    """The sending side of the queues."""
    return Publisher(celery_app(settings), declared_queues(settings))


def relay(settings: Settings) -> Relay:
    """The relay over the three queues that it feeds."""
    connections = engine(settings, connections=2)
    return Relay(
        outbox=PostgresOutbox(connections),
        queues=publisher(settings),
        feeds=[
            QueueFeed(stage="aggregate", chunk=settings.aggregate_chunk, depth=settings.aggregate_depth),
            QueueFeed(stage="classify", chunk=settings.classify_chunk, depth=settings.classify_depth),
            QueueFeed(stage="recognise", chunk=settings.recognise_chunk, depth=settings.recognise_depth),
        ],
        clock=SystemClock(),
        republish_after_s=settings.republish_after_s,
        deadline_s=settings.deadline_s,
        document_deadline_s=settings.document_deadline_s,
        poll_s=settings.relay_poll_s,
        step_s=settings.relay_step_s,
        erasure=PostgresErasure(connections),
        retention_s=settings.retention_s,
        llm_is_down=llm_gate(settings).is_shut,
        note=_note(connections),
    )


def gateway_app(settings: Settings) -> FastAPI:
    """The HTTP front door."""
    from workers.gateway.app import create_app
    from workers.store.keys import PostgresKeys

    connections = engine(settings, connections=16)
    keys = PostgresKeys(connections) if settings.needs_keys else None
    return create_app(
        store=PostgresStore(connections),
        reader=PostgresReader(connections),
        settings=settings,
        limits=limits(settings),
        queues=publisher(settings),
        keys=keys,
        clock=SystemClock(),
        llm=llm_states(settings),
    )
