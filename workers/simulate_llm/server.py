"""The replaying server: chat completions, models, health and ledger over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from linkner.errors import ConfigurationError, InputError
from linkner.pricing import tokens_of
from workers.simulate_llm import bodies
from workers.simulate_llm.admission import Admission
from workers.simulate_llm.batches import Answered, Batches
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.calls import CallLog, Line
from workers.simulate_llm.quota import PromptCache, quota_headers, retry_headers
from workers.simulate_llm.recorded import RecordedReplies

MAX_BODY_BYTES = 1_000_000

_LONGEST_HANG_S = 600.0


@dataclass(frozen=True, slots=True)
class Call:
    """What the server reads of a chat completion request; `id` is a hash of the model and the messages."""

    model: str
    prompt: str
    question: str
    max_tokens: int
    has_schema: bool
    id: str

    @classmethod
    def read(cls, body: bytes) -> Call:
        """The call in a request's body. Raises InputError."""
        try:
            value = json.loads(body)
            messages = value["messages"]
            return cls(
                model=str(value["model"]),
                prompt="".join(message["content"] for message in messages),
                question=[message["content"] for message in messages if message["role"] == "user"][-1],
                max_tokens=int(value.get("max_completion_tokens") or value.get("max_tokens") or 0),
                has_schema=value.get("response_format") is not None,
                id=sha256(json.dumps([value["model"], messages]).encode()).hexdigest()[:16],
            )
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise InputError(
                "not a chat completion request",
                expected="model, and messages of role and text with a user's among them",
            ) from error

    @property
    def prompt_tokens(self) -> int:
        """Estimated."""
        return tokens_of(len(self.prompt))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to, and the tokens that it used."""

    response: Response
    used: int


class ReplayServer:
    """The routes of one server, with its behaviour's state."""

    def __init__(self, replies: RecordedReplies, behaviour: Behaviour, *, ledger: Path | None = None) -> None:
        """`ledger` is a file for a line of JSON for each call."""
        self._replies = replies
        self._behaviour = behaviour
        self._random = Random(behaviour.seed)
        self._admission = Admission(
            requests_per_minute=behaviour.requests_per_minute,
            tokens_per_minute=behaviour.tokens_per_minute,
            charge=behaviour.charge,
        )
        self._counts = self._admission.counts
        self._prompts = PromptCache()
        self._began = time.monotonic()
        self.log = CallLog(ledger)
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
        model = {"id": bodies.FINGERPRINT, "object": "model", "created": 0, "owned_by": "linkner"}
        return bodies.as_json({"object": "list", "data": [model]})

    async def healthz(self, _: Request) -> Response:
        """That the server serves, and how many posts have a recorded reply."""
        return bodies.as_json({"status": "ok", "recorded": len(self._replies.entities)})

    async def ledger(self, _: Request) -> Response:
        """The counts since the start."""
        return bodies.as_json(asdict(self._counts))

    async def completions(self, request: Request) -> Response:
        """The recorded answer to a question, or whatever fault was drawn for the call."""
        try:
            call = Call.read(await _body(request))
        except InputError as error:
            return self._refuse(error)
        at = time.monotonic()
        if self._behaviour.is_down(at - self._began):
            return await self._down(call, at=at)
        asked = call.prompt_tokens + call.max_tokens
        admitted = self._admission.admit(asked, now=at)
        if isinstance(admitted, float):
            headers = retry_headers(self._behaviour.quota_headers, admitted, random=self._random)
            response = bodies.error(429, "rate_limit_exceeded", "beyond the limit", headers)
            return self._logged(call, response, at=at, violation=True)
        outcome = await self._outcome(call)
        used = self._admission.settle(admitted, outcome.used, now=time.monotonic())
        return self._logged(call, outcome.response, at=at, used=used)

    async def _down(self, call: Call, *, at: float) -> Response:
        self._counts.calls += 1
        self._counts.errors += 1
        if self._behaviour.down_as == "hang":
            await asyncio.sleep(_LONGEST_HANG_S)
        status = 429 if self._behaviour.down_as == "429" else 500
        response = bodies.error(status, "server_error", "down, as the simulation was told to be")
        return self._logged(call, response, at=at)

    def _logged(
        self, call: Call, response: Response, *, at: float, used: int = 0, violation: bool = False
    ) -> Response:
        """The response, written down and with the headers that speak of the limits."""
        now = time.monotonic()
        self.log.add(
            Line(
                at=at,
                took_s=now - at,
                status=response.status_code,
                violation=violation,
                asked=call.prompt_tokens + call.max_tokens,
                used=used,
                question=call.id,
            )
        )
        response.headers.update(
            quota_headers(self._behaviour.quota_headers, self._admission, now=now, random=self._random)
        )
        return response

    async def _outcome(self, call: Call) -> Outcome:
        try:
            self._check(call)
            answer = self._replies.reply(call.question)
        except InputError as error:
            return Outcome(self._refuse(error), call.prompt_tokens)
        if answer is None:
            self._counts.not_recorded += 1
            refusal = bodies.error(400, "no_recorded_reply", "no reply to this post was recorded")
            return Outcome(refusal, call.prompt_tokens)
        whole = bodies.completion(
            call.model,
            answer,
            prompt_tokens=call.prompt_tokens,
            cached_tokens=self._prompts.tokens(call.model, call.prompt),
        )
        return await self._serve(whole)

    async def _serve(self, whole: dict[str, Any]) -> Outcome:
        """The completion after its latency, or a fault in its stead."""
        fault = self._behaviour.fault(self._random)
        latency = self._behaviour.latency_s(self._random)
        spoilt = bodies.malformed(whole, self._random) if fault == "malformed" else b""
        if latency:
            await asyncio.sleep(latency)
        usage = whole["usage"]
        if fault == "error":
            self._counts.errors += 1
            message = "a fault that the simulation was told to make"
            return Outcome(bodies.error(500, "server_error", message), usage["prompt_tokens"])
        if fault == "malformed":
            self._counts.malformed += 1
            response = Response(spoilt, media_type="application/json", headers=bodies.MARK)
            return Outcome(response, usage["total_tokens"])
        if fault == "drip":
            self._counts.drips += 1
            return Outcome(bodies.dripping(whole, over_s=self._behaviour.drip_s), usage["total_tokens"])
        self._counts.answered += 1
        self._counts.prompt_tokens += usage["prompt_tokens"]
        self._counts.cached_prompt_tokens += usage["prompt_tokens_details"]["cached_tokens"]
        self._counts.completion_tokens += usage["completion_tokens"]
        return Outcome(bodies.as_json(whole), usage["total_tokens"])

    def _answered(self, body: bytes) -> Answered:
        """The recorded answer to a request of a batch, which knows no limits and no faults of calls."""
        try:
            call = Call.read(body)
            self._check(call)
            answer = self._replies.reply(call.question)
        except InputError as error:
            return 400, bodies.error_json("invalid_request_error", str(error))
        if answer is None:
            self._counts.not_recorded += 1
            return 400, bodies.error_json("no_recorded_reply", "no reply to this post was recorded")
        self._counts.batched += 1
        return 200, bodies.completion(call.model, answer, prompt_tokens=call.prompt_tokens)

    def _check(self, call: Call) -> None:
        if call.has_schema and self._behaviour.refuse_schemas:
            raise InputError("response_format is not known here", expected="a request without it")

    def _refuse(self, error: InputError) -> Response:
        self._counts.refused += 1
        return bodies.error(400, "invalid_request_error", str(error))


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
