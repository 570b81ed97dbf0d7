"""The bodies of the replaying endpoint: completions, spoilt ones, and errors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from random import Random
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from linkner.pricing import tokens_of

FINGERPRINT = "linkner-replay"
"""`system_fingerprint` of every completion; what a client knows a replay by."""
MARK = {"x-linkner-replayed": "true"}

_ANSWERS_OFF_THE_LIST = ("an astronaut", "I cannot tell which of these types fits.", "")


def completion(model: str, answer: str, *, prompt_tokens: int, cached_tokens: int = 0) -> dict[str, Any]:
    """A chat completion with this answer."""
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
            "prompt_tokens_details": {"cached_tokens": cached_tokens},
        },
    }


def malformed(whole: dict[str, Any], random: Random) -> bytes:
    """The completion spoilt in one of the ways seen of real endpoints."""
    kind = random.choice(("off the list", "cut off", "no choices", "no content"))
    if kind == "no choices":
        return json.dumps(whole | {"choices": []}).encode()
    content = None if kind == "no content" else random.choice(_ANSWERS_OFF_THE_LIST)
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = json.dumps(whole | {"choices": choices}).encode()
    return body[: len(body) // 2] if kind == "cut off" else body


def dripping(whole: dict[str, Any], *, over_s: float) -> Response:
    """The completion byte by byte, spread evenly over `over_s` seconds."""
    body = json.dumps(whole).encode()

    async def drops() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(over_s / len(body))

    headers = MARK | {"content-length": str(len(body))}
    return StreamingResponse(drops(), media_type="application/json", headers=headers)


def as_json(value: Mapping[str, Any]) -> Response:
    """A reply that says that it is a replay."""
    return JSONResponse(dict(value), headers=MARK)


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as OpenAI's API words it."""
    return JSONResponse(error_json(code, message), status_code=status, headers=MARK | dict(headers or {}))


def error_json(code: str, message: str) -> dict[str, Any]:
    """Its body."""
    return {"error": {"message": message, "type": code, "param": None, "code": code}}
