"""ports.Llm over any OpenAI-compatible endpoint, through the `openai` client.

The deadline is hard. Time limits of HTTP clients hold for each socket operation, so a reply that drips in
byte by byte never runs into one. The calls therefore run on an event loop of their own thread: the caller
waits for its result no longer than the deadline, and then cancels the call, which closes its connection
wherever it is (name look-up, connect, TLS, headers or body).

Requests go through the client's `post` and aiohttp: with the typed `chat.completions` and the default
transport the same bytes take twice the CPU.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2
import openai

from linkner.classification import Prompt
from linkner.errors import (
    ConfigurationError,
    NotReachedError,
    RejectedError,
    ServiceError,
    StoppedError,
    UnavailableError,
)
from workers.ports import Reply
from workers.quota_headers import retry_after_s, said
from workers.structured_outputs import StructuredOutputs

REPLAY_FINGERPRINT = "linkner-replay"
"""`system_fingerprint` of an endpoint that replays recorded replies (see `linkner simulate-llm`)."""

MAX_REPLY_BYTES = 1_000_000
MAX_TEXT_CHARS = 10_000
MAX_TOKENS = 100_000_000

_RETRYABLE = (408, 409, 425, 429)
_MISCONFIGURED = (401, 402, 403, 404, 405, 407)
_MISCONFIGURED_RETRY_S = 30.0


class OpenAiLlm:
    """Calls to one model of one endpoint, from as many threads at once as there are `connections`."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        deadline_s: float,
        connections: int,
        structured_outputs: bool = True,
    ) -> None:
        """`api_key` may be empty: self-hosted endpoints often want none. Nothing is sent yet.

        Without `structured_outputs` none are asked for; else the endpoint is tried.

        Raises:
            ConfigurationError: the URL or the key cannot be used.
        """
        check_endpoint(base_url, api_key)
        self._model = model
        self._deadline_s = deadline_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",  # the client refuses to start without one
            max_retries=0,  # a repeated call would pass the limiter unseen
            timeout=None,  # the deadline below is the only clock
            default_headers={"accept-encoding": "identity"},
            http_client=openai.DefaultAioHttpClient(
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
                follow_redirects=False,
                event_hooks={"response": [_bound]},
            ),
        )
        self._structured = StructuredOutputs(allowed=structured_outputs)
        self._calls: set[Future[Reply]] = set()
        self._is_cut_off = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm-calls", daemon=True)
        self._thread.start()

    def ask(self, prompt: Prompt) -> Reply:
        """One call within the hard deadline.

        Raises:
            UnavailableError: no usable reply in time; `retry_after_s` where the endpoint said when, and 0
                where it has to be asked without structured outputs.
            RejectedError: the endpoint refused this request for good (a 4xx).
            StoppedError: the call was cut off.
        """
        call = asyncio.run_coroutine_threadsafe(self._call(prompt), self._loop)
        self._calls.add(call)
        if self._is_cut_off:
            call.cancel()
        try:
            return call.result(timeout=self._deadline_s)
        except TimeoutError:
            call.cancel()
            raise UnavailableError(
                "the LLM endpoint did not finish its reply in time",
                expected=f"a whole reply within {self._deadline_s:g} s",
                hint="raise LINKNER_LLM_DEADLINE_S if the model is that slow",
            ) from None
        except CancelledError:
            raise StoppedError(
                "this process stops, and the LLM endpoint had not finished its reply",
                hint="the question is asked again by another process",
                retry_after_s=0.0,
            ) from None
        finally:
            self._calls.discard(call)

    def cut_off(self) -> None:
        """Break off every call, and those that are still to come. For another thread."""
        self._is_cut_off = True
        for call in tuple(self._calls):
            call.cancel()

    def close(self) -> None:
        """Close the connections and end the thread; no call may follow."""
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _call(self, prompt: Prompt) -> Reply:
        """The call, without a clock."""
        added = self._structured.fields(prompt)
        body = {**request_body(prompt, model=self._model), **added}
        try:
            response = await self._client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except openai.OpenAIError as error:
            # from None: the cause holds the request
            raise self._structured.failed(prompt, added, service_error(error)) from None
        self._structured.answered(prompt, added)
        return replace(read_reply(response.content), said=said(response.headers))


def request_body(prompt: Prompt, *, model: str) -> dict[str, Any]:
    """What a chat completion is asked with, but for structured outputs.

    `max_tokens` and not its newer name: OpenAI's chat models, vLLM, Ollama and llama.cpp all obey it, while
    Ollama ignores `max_completion_tokens` and would write without bound. (OpenAI's reasoning models take only
    the new name, but refuse a temperature of 0 as well.)
    """
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ],
        "max_tokens": prompt.max_tokens,
        "temperature": 0,
    }


def read_reply(body: bytes) -> Reply:
    """The reply in a chat completion's body. Missing token counts are 0, missing text is empty.

    Text and model name are cut to a bounded length and freed of what PostgreSQL cannot store.

    Raises:
        UnavailableError: the body is no chat completion; endpoints recover from that.
    """
    try:
        value = json.loads(body)
        usage = value.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        return Reply(
            text=_storable(value["choices"][0]["message"]["content"] or "")[:MAX_TEXT_CHARS],
            model=_storable(value["model"])[:200],
            prompt_tokens=_tokens(usage, "prompt_tokens"),
            completion_tokens=_tokens(usage, "completion_tokens"),
            replayed=value.get("system_fingerprint") == REPLAY_FINGERPRINT,
            cached_prompt_tokens=_tokens(details, "cached_tokens"),
        )
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise UnavailableError(
            "the LLM endpoint's reply cannot be read",
            expected="a chat completion with a choice",
            got=type(error).__name__,
        ) from None


def _tokens(counts: Mapping[str, Any], name: str) -> int:
    """A count that any database column holds, whatever the endpoint says."""
    return min(max(int(counts.get(name) or 0), 0), MAX_TOKENS)


def _storable(text: str) -> str:
    """The text without NUL, and with a question mark for each lone surrogate."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def service_error(error: openai.OpenAIError) -> ServiceError:
    """The one place where the client's errors become ours; bodies and messages may hold the prompt or key."""
    if not isinstance(error, openai.APIStatusError):
        if not _never_connected(error):
            return UnavailableError("the LLM endpoint cannot be reached", got=type(error).__name__)
        return NotReachedError(
            "the LLM endpoint cannot be reached", got=_why_not(error), hint="check LINKNER_LLM_BASE_URL"
        )
    got = f"HTTP {error.status_code}" + (f" ({error.code[:60]})" if error.code else "")
    if error.status_code in _RETRYABLE or error.status_code >= 500:
        wait = retry_after_s(error.response.headers)
        return UnavailableError("the LLM endpoint cannot answer now", got=got, retry_after_s=wait)
    if error.status_code < 400 or error.status_code in _MISCONFIGURED:
        # No question is at fault where URL, key, account or model name is: they wait for somebody to mend it.
        # (A redirect is not followed: it would carry key and post to another address.)
        return UnavailableError(
            "the LLM endpoint does not know this URL, key or model",
            got=got,
            hint="check LINKNER_LLM_BASE_URL, LINKNER_LLM_MODEL and OPENAI_API_KEY",
            retry_after_s=_MISCONFIGURED_RETRY_S,
        )
    return RejectedError("the LLM endpoint refused the request", got=got)


def _never_connected(error: openai.OpenAIError) -> bool:
    """Whether no byte was sent. Only the innermost cause tells: the transport says the same of lost ones."""
    return isinstance(error.__cause__ and error.__cause__.__cause__, aiohttp.ClientConnectorError)


def _why_not(error: BaseException) -> str:
    """The innermost cause in the system's words: the client calls all of them a time-out."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, socket.gaierror | ssl.SSLError):  # whose numbers are not the system's
        return error.strerror or type(error).__name__
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return type(error).__name__


def check_endpoint(base_url: str, api_key: str) -> None:
    """Raise ConfigurationError where the URL or the key cannot be used."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            "the LLM endpoint's URL cannot be used",
            expected="http://host:port/v1 or https://host/v1",
            hint="set LINKNER_LLM_BASE_URL",
        )
    if not (api_key.isascii() and api_key.isprintable()) or api_key != api_key.strip():
        raise ConfigurationError("OPENAI_API_KEY holds a space, a line break or a character beyond ASCII")


async def _bound(response: httpx2.Response) -> None:
    """Let no response, an error's included, fill the memory; a compressed one could after a few bytes."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UnavailableError(
            "the LLM endpoint compressed its reply", expected="what was asked for: no coding"
        )
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A response's body that breaks off beyond MAX_REPLY_BYTES."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_REPLY_BYTES:
                raise UnavailableError(
                    "the LLM endpoint's reply is too large", expected=f"at most {MAX_REPLY_BYTES} bytes"
                )
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
