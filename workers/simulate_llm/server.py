"""The replaying server: chat completions, models, health and ledger over HTTP."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from linkner.errors import ConfigurationError, InputError
from linkner.pricing import tokens_of
from workers.simulate_llm.batches import Answered, Batches
from workers.simulate_llm.behaviour import Admission, Behaviour
from workers.simulate_llm.recorded import RecordedReplies

FINGERPRINT = "linkner-replay"
"""`system_fingerprint` of every completion; what a client knows a replay by."""
MARK = {"x-linkner-replayed": "true"}
MAX_BODY_BYTES = 1_000_000

_ANSWERS_OFF_THE_LIST = ("an astronaut", "I cannot tell which of these types fits.", "")


@dataclass(frozen=True, slots=True)
class Call:
    """What the server reads of a chat completion request."""

    model: str
    prompt_chars: int
    question: str
    max_tokens: int
    has_schema: bool

    @classmethod
    def read(cls, body: bytes) -> Call:
        """The call in a request's body. Raises InputError."""
        try:
            value = json.loads(body)
            messages = value["messages"]
            return cls(
                model=str(value["model"]),
                prompt_chars=len("".join(message["content"] for message in messages)),
                question=[message["content"] for message in messages if message["role"] == "user"][-1],
                max_tokens=int(value.get("max_completion_tokens") or value.get("max_tokens") or 0),
                has_schema=value.get("response_format") is not None,
            )
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise InputError(
                "not a chat completion request",
                expected="model, and messages of role and text with a user's among them",
            ) from error


class ReplayServer:
    """The routes of one server, with its behaviour's state."""

    def __init__(self, replies: RecordedReplies, behaviour: Behaviour) -> None:
        self._replies = replies
        self._behaviour = behaviour
        self._random = Random(behaviour.seed)
        self._admission = Admission(behaviour)
        self._ledger = self._admission.ledger
        self._batches = Batches(
            self._answered,
            delay_s=behaviour.batch_s,
            expire_rate=behaviour.batch_expire_rate,
            random=Random(behaviour.seed),
        )

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.completions, methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/healthz", self.healthz),
                Route("/ledger", self.ledger),
                *self._batches.routes(),
            ]
        )

    async def models(self, _: Request) -> Response:
        """The one model; any other name is served just the same."""
        model = {"id": FINGERPRINT, "object": "model", "created": 0, "owned_by": "linkner"}
        return _json({"object": "list", "data": [model]})

    async def healthz(self, _: Request) -> Response:
        """That the server serves, and how many posts have a recorded reply."""
        return _json({"status": "ok", "recorded": len(self._replies.entities)})

    async def ledger(self, _: Request) -> Response:
        """The counts since the start."""
        return _json(asdict(self._ledger))

    async def completions(self, request: Request) -> Response:
        """The recorded answer to a question, or whatever fault was drawn for the call."""
        try:
            call = Call.read(await _body(request))
        except InputError as error:
            return self._refuse(error)
        prompt_tokens = tokens_of(call.prompt_chars)
        wait = self._admission.admit(prompt_tokens + call.max_tokens, now=time.monotonic())
        if wait > 0:
            return _error(
                429, "rate_limit_exceeded", "beyond the limit", {"retry-after": str(math.ceil(wait))}
            )
        try:
            self._check(call)
            answer = self._replies.reply(call.question)
        except InputError as error:
            return self._refuse(error)
        if answer is None:
            self._ledger.not_recorded += 1
            return _error(400, "no_recorded_reply", "no reply to this post was recorded")
        return await self._serve(_completion(call.model, answer, prompt_tokens=prompt_tokens))

    async def _serve(self, completion: dict[str, Any]) -> Response:
        """The completion after its latency, or a fault in its stead."""
        fault = self._behaviour.fault(self._random)
        latency = self._behaviour.latency_s(self._random)
        malformed = _malformed(completion, self._random) if fault == "malformed" else b""
        if latency:
            await asyncio.sleep(latency)
        if fault == "error":
            self._ledger.errors += 1
            return _error(500, "server_error", "a fault that the simulation was told to make")
        if fault == "malformed":
            self._ledger.malformed += 1
            return Response(malformed, media_type="application/json", headers=MARK)
        if fault == "drip":
            self._ledger.drips += 1
            return _dripping(completion, over_s=self._behaviour.drip_s)
        self._ledger.answered += 1
        self._ledger.prompt_tokens += completion["usage"]["prompt_tokens"]
        self._ledger.completion_tokens += completion["usage"]["completion_tokens"]
        return _json(completion)

    def _answered(self, body: bytes) -> Answered:
        """The recorded answer to a request of a batch, which knows no limits and no faults of calls."""
        try:
            call = Call.read(body)
            self._check(call)
            answer = self._replies.reply(call.question)
        except InputError as error:
            return 400, _error_json("invalid_request_error", str(error))
        if answer is None:
            self._ledger.not_recorded += 1
            return 400, _error_json("no_recorded_reply", "no reply to this post was recorded")
        self._ledger.batched += 1
        return 200, _completion(call.model, answer, prompt_tokens=tokens_of(call.prompt_chars))

    def _check(self, call: Call) -> None:
        if call.has_schema and self._behaviour.refuse_schemas:
            raise InputError("response_format is not known here", expected="a request without it")

    def _refuse(self, error: InputError) -> Response:
        self._ledger.refused += 1
        return _error(400, "invalid_request_error", str(error))


def run(app: Starlette, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the base URL once connections are taken.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    try:
        listener = socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}", got=str(error)) from error
    with listener:
        ready(f"http://{host}:{listener.getsockname()[1]}/v1")
        server(app).run(sockets=[listener])


def server(app: Starlette) -> uvicorn.Server:
    """A server that drops calls still dripping a second after it was told to stop."""
    return uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InputError("the request is too large", expected=f"at most {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _completion(model: str, answer: str, *, prompt_tokens: int) -> dict[str, Any]:
    completion_tokens = tokens_of(len(answer))
    message = {"role": "assistant", "content": answer}
    return {
        "id": f"chatcmpl-{FINGERPRINT}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": FINGERPRINT,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _malformed(completion: dict[str, Any], random: Random) -> bytes:
    """The completion spoilt in one of the ways seen of real endpoints."""
    kind = random.choice(("off the list", "cut off", "no choices", "no content"))
    if kind == "no choices":
        return json.dumps(completion | {"choices": []}).encode()
    content = None if kind == "no content" else random.choice(_ANSWERS_OFF_THE_LIST)
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = json.dumps(completion | {"choices": choices}).encode()
    return body[: len(body) // 2] if kind == "cut off" else body


def _dripping(completion: dict[str, Any], *, over_s: float) -> Response:
    body = json.dumps(completion).encode()

    async def drops() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(over_s / len(body))

    headers = MARK | {"content-length": str(len(body))}
    return StreamingResponse(drops(), media_type="application/json", headers=headers)


def _json(value: dict[str, Any]) -> Response:
    return JSONResponse(value, headers=MARK)


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(_error_json(code, message), status_code=status, headers=MARK | dict(headers or {}))


def _error_json(code: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": code, "param": None, "code": code}}
