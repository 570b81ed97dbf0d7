"""For operators: is the gateway alive, is it ready, and its metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from linkner.errors import UnavailableError
from workers.gateway.metrics import GatewayMetrics
from workers.ports import Queues, Reader


@dataclass(frozen=True, slots=True)
class Readiness:
    """`store` and `broker` are `ok`, or say why not; `broker` is `unused` where the gateway has none."""

    ready: bool
    store: str
    broker: str


def operation_routes(reader: Reader, queues: Queues | None, metrics: GatewayMetrics) -> APIRouter:
    """The routes that look at the gateway itself."""
    router = APIRouter()

    @router.get("/healthz", summary="Whether the process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="Whether store and broker can be reached",
        responses={503: {"model": Readiness, "description": "One of them cannot"}},
    )
    def readyz(response: Response) -> Readiness:
        store = _state(reader.ping)
        broker = "unused" if queues is None else _state(lambda: queues.depth("recognise"))
        ready = store == "ok" and broker in {"ok", "unused"}
        if not ready:
            response.status_code = 503
        return Readiness(ready, store, broker)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
    def metrics_text() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except UnavailableError as error:
        return error.problem
    return "ok"
