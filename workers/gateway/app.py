"""Puts the gateway together."""

from __future__ import annotations

from fastapi import FastAPI

from broker.settings import Settings
from workers.gateway.access import Access
from workers.gateway.body import Bodies
from workers.gateway.documents import document_routes
from workers.gateway.findings import Bounds
from workers.gateway.looks import LlmLimits, Looks
from workers.gateway.metrics import GatewayMetrics
from workers.gateway.operations import operation_routes
from workers.gateway.problems import answer_errors
from workers.gateway.submission import Room, Submission, submission_routes
from workers.handlers.posts import PostLimits
from workers.ports import Clock, Keys, Queues, Reader, Store


def create_app(
    *,
    store: Store,
    reader: Reader,
    settings: Settings,
    limits: PostLimits,
    queues: Queues | None,
    keys: Keys | None,
    clock: Clock,
    llm: LlmLimits = (),
) -> FastAPI:
    """The gateway over these ports. `queues` and `llm` are only looked at: the relay feeds the broker.

    Without `keys` it answers to this machine alone.
    """
    app = FastAPI(
        title="LinkNER gateway",
        version="1",
        summary="Posts in, named entities out",
        docs_url=None,  # these pages load scripts from elsewhere; /openapi.json stays
        redoc_url=None,
    )
    looks = Looks(reader=reader, queues=queues, clock=clock, llm=llm)
    bounds = Bounds.of(settings)
    metrics = GatewayMetrics(reader=reader, looks=looks, clock=clock, bounds=bounds)
    submission = Submission(
        store=store,
        limits=limits,
        room=Room(reader, high_water=settings.high_water, clock=clock),
    )
    access = Access(keys, clock)
    bodies = Bodies(max_bytes=settings.max_body_bytes)
    app.include_router(submission_routes(submission, bodies, metrics, access))
    app.include_router(document_routes(reader, access))
    app.include_router(operation_routes(reader, looks, metrics, access, bounds))
    answer_errors(app)
    return app
