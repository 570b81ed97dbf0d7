"""For operators: is the gateway alive, is it ready, what is the state of everything."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.background import BackgroundTask

from linkner.errors import UnavailableError
from workers.gateway.access import REFUSALS, Access
from workers.gateway.metrics import GatewayMetrics, queue_depths
from workers.gateway.problems import ErrorBody
from workers.gateway.wire import Readiness, Status
from workers.ports import Queues, Reader


def operation_routes(
    reader: Reader, queues: Queues | None, metrics: GatewayMetrics, access: Access
) -> APIRouter:
    """The routes that look at the gateway itself. Health checks need no key, and say little."""
    router = APIRouter()
    operator = Depends(access.needs("admin"))

    @router.get("/healthz", summary="Whether the process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="Whether store and broker can be reached",
        responses={503: {"model": Readiness, "description": "One of them cannot"}},
    )
    def readyz(response: Response) -> Readiness:
        store = _store_state(reader)
        broker, _ = _broker_state(queues)
        ready = store == "ok" and broker in {"ok", "unused"}
        if not ready:
            response.status_code = 503
        return Readiness(ready, store, broker)

    @router.get(
        "/v1/status",
        summary="Counts of documents, questions, decisions and messages",
        dependencies=[operator],
        responses={
            **REFUSALS,
            503: {"model": ErrorBody, "description": "The store cannot be reached; see Retry-After"},
        },
    )
    def status() -> Status:
        broker, depths = _broker_state(queues)
        return Status.of(reader.counts(), queues=depths, broker=broker)

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        dependencies=[operator],
        responses={**REFUSALS, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    def metrics_text() -> Response:
        # The counting begins once the answer is out: at ten million documents it takes some ten seconds.
        counting = BackgroundTask(metrics.count_anew)
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST, background=counting)

    return router


def _store_state(reader: Reader) -> str:
    try:
        reader.ping()
    except UnavailableError as error:
        return error.problem
    return "ok"


def _broker_state(queues: Queues | None) -> tuple[str, dict[str, int]]:
    """How the broker is, and the depth of each queue where it can be asked."""
    if queues is None:
        return "unused", {}
    try:
        return "ok", queue_depths(queues)
    except UnavailableError as error:
        return error.problem, {}
