"""ports.BatchLlm over the batch API of an OpenAI-compatible endpoint, through the `openai` client.

A batch is a file of requests, uploaded first, and then answered within a day for half the price. Its name
stands in the provider's record of it: a process that died between asking for a batch and writing its id down
is followed by one that finds it.

Structured outputs are not asked for: an endpoint that refuses them would refuse a whole batch, and the words
of a prompt say the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import openai
from openai.types import Batch

from linkner.classification import Prompt
from linkner.errors import RejectedError, ServiceError, UnavailableError
from workers.llm_client import check_endpoint, read_reply, request_body, service_error
from workers.ports import BatchState, Reply

ENDPOINT: Final = "/v1/chat/completions"

_NAME = "linkner"
_LOOKED_THROUGH = 500
"""How many of the newest batches are looked through for one that was not written down."""
TIMEOUT_S: Final = 600.0
_RUNNING = frozenset({"validating", "in_progress", "finalizing", "cancelling"})


class OpenAiBatches:
    """Batches of one model at one endpoint. Every method raises what `OpenAiLlm.ask` does."""

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout_s: float = TIMEOUT_S) -> None:
        """`timeout_s` bounds each read and write of a transfer, not the whole of it. Nothing is sent yet.

        Raises:
            ConfigurationError: the URL or the key cannot be used.
        """
        check_endpoint(base_url, api_key)
        self._model = model
        self._client = openai.OpenAI(
            base_url=base_url, api_key=api_key or "none", max_retries=0, timeout=timeout_s
        )

    def submit(self, name: str, prompts: Mapping[str, Prompt]) -> str:
        """See the port."""
        lines = (
            {
                "custom_id": custom_id,
                "method": "POST",
                "url": ENDPOINT,
                "body": request_body(prompt, model=self._model),
            }
            for custom_id, prompt in prompts.items()
        )
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        try:
            stored = self._client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
            created = self._client.batches.create(
                input_file_id=stored.id,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={_NAME: name},
            )
        except openai.OpenAIError as error:
            raise service_error(error) from None
        return created.id

    def find(self, name: str) -> str | None:
        """See the port."""
        try:
            for batch in islice(self._client.batches.list(limit=100), _LOOKED_THROUGH):
                if (batch.metadata or {}).get(_NAME) == name:
                    return batch.id
        except openai.OpenAIError as error:
            raise service_error(error) from None
        return None

    def state(self, batch_id: str) -> BatchState:
        """See the port."""
        batch = self._retrieve(batch_id)
        errors = batch.errors.data if batch.errors and batch.errors.data else []
        first = errors[0].message if errors else None
        error = None if batch.status == "completed" else f"{batch.status}: {first}" if first else batch.status
        return BatchState(ended=batch.status not in _RUNNING, error=error)

    def results(self, batch_id: str) -> dict[str, Reply | ServiceError]:
        """See the port."""
        batch = self._retrieve(batch_id)
        found: dict[str, Reply | ServiceError] = {}
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                found.update(_result(line) for line in self._lines(file_id))
        return found

    def discard(self, batch_id: str) -> None:
        """See the port."""
        batch = self._retrieve(batch_id)
        if batch.status in _RUNNING:
            self._cancel(batch_id)
        for file_id in (batch.input_file_id, batch.output_file_id, batch.error_file_id):
            try:
                if file_id:
                    self._client.files.delete(file_id)
            except openai.NotFoundError:
                pass
            except openai.OpenAIError as error:
                raise service_error(error) from None

    def _cancel(self, batch_id: str) -> None:
        try:
            self._client.batches.cancel(batch_id)
        except openai.OpenAIError as error:
            raise service_error(error) from None

    def _retrieve(self, batch_id: str) -> Batch:
        try:
            return self._client.batches.retrieve(batch_id)
        except openai.OpenAIError as error:
            raise service_error(error) from None

    def _lines(self, file_id: str) -> Iterator[dict[str, Any]]:
        try:
            for line in self._client.files.content(file_id).iter_lines():
                if line.strip():
                    yield json.loads(line)
        except openai.OpenAIError as error:
            raise service_error(error) from None
        except ValueError:
            raise UnavailableError("a file of the LLM endpoint's batch cannot be read") from None


def _result(line: Mapping[str, Any]) -> tuple[str, Reply | ServiceError]:
    """What became of one request, by its id."""
    response = line.get("response") or {}
    status = response.get("status_code")
    custom_id = str(line.get("custom_id"))
    if status == 200:
        try:
            return custom_id, read_reply(json.dumps(response.get("body")).encode())
        except UnavailableError as error:
            return custom_id, error
    if status is None:
        code = (line.get("error") or {}).get("code")
        return custom_id, UnavailableError("a request of a batch was not done", got=str(code)[:60])
    kind = UnavailableError if status == 429 or status >= 500 else RejectedError
    return custom_id, kind("a request of a batch was refused", got=f"HTTP {status}")
