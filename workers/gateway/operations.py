"""For operators: is the gateway alive, is it ready, what is the state of everything."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.background import BackgroundTask

from workers.gateway.access import REFUSALS, Access
from workers.gateway.findings import Bounds, look_for_findings
from workers.gateway.looks import Looks, seen
from workers.gateway.metrics import GatewayMetrics
from workers.gateway.problems import ErrorBody
from workers.gateway.wire import Findings, Readiness, Status
from workers.ports import Reader

_NO_STORE: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    503: {"model": ErrorBody, "description": "The store cannot be reached; see Retry-After"},
}


def operation_routes(
    reader: Reader, looks: Looks, metrics: GatewayMetrics, access: Access, bounds: Bounds
) -> APIRouter:
    """The routes that look at the system as a whole. Health checks need no key, and say little."""
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
        store, _ = seen(looks.store, otherwise=None)
        broker, _ = seen(looks.queues, otherwise={})
        ready = store == "ok" and broker in {"ok", "unused"}
        if not ready:
            response.status_code = 503
        return Readiness(ready, store, broker)

    @router.get(
        "/v1/status",
        summary="What is wrong, counts of documents, questions and messages, and the LLM endpoints",
        dependencies=[operator],
        responses=_NO_STORE,
    )
    def status() -> Status:
        broker, depths = seen(looks.queues, otherwise={})
        limits, llm = seen(looks.llm, otherwise=[])
        return Status.of(
            reader.counts(),
            findings=look_for_findings(looks, bounds),
            queues=depths,
            broker=broker,
            llm=llm,
            llm_limits=limits,
        )

    @router.get(
        "/v1/findings",
        summary="What is wrong, as far as the gateway can see; cheap enough for a monitor",
        dependencies=[operator],
        responses=_NO_STORE,
    )
    def findings() -> Findings:
        return Findings(look_for_findings(looks, bounds))

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
