"""OpenAI's batch API over the replayed replies: files of requests in, files of replies out, some time later.

As strict as the real one where a client could be wrong: a file with a bad line or a repeated id fails as a
whole, a batch that ran out of time has answers for a part only, and files stay until they are deleted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from random import Random
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from linkner.errors import InputError
from workers.simulate_llm import bodies

MAX_FILE_BYTES = 200_000_000
MAX_REQUESTS = 50_000
ENDPOINT = "/v1/chat/completions"
_PAGE = 100

Answered = tuple[int, dict[str, Any]]
"""An HTTP status and the body that goes with it."""
Status = Literal["in_progress", "completed", "expired", "failed", "cancelled"]


@dataclass(slots=True)
class Batch:
    """One batch; what is None or empty has not come about yet."""

    id: str
    input_file_id: str
    metadata: Mapping[str, Any]
    created_at: float
    due_at: float
    requests: list[dict[str, Any]] = field(default_factory=list)
    status: Status = "in_progress"
    errors: list[str] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    completed: int = 0
    failed: int = 0


class Batches:
    """The files and batches of one server.

    A batch ends `delay_s` after it was created; of its requests the share `expire_rate` is then unanswered,
    which makes its status `expired`. `answer` makes the reply to one request's body.
    """

    def __init__(
        self, answer: Callable[[bytes], Answered], *, delay_s: float, expire_rate: float, random: Random
    ) -> None:
        self._answer = answer
        self._delay_s = delay_s
        self._expire_rate = expire_rate
        self._random = random
        self._files: dict[str, tuple[str, bytes]] = {}
        self._batches: dict[str, Batch] = {}

    def routes(self) -> list[Route]:
        """The routes of both resources."""
        return [
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{id}", self._delete, methods=["DELETE"]),
            Route("/v1/files/{id}/content", self._content),
            Route("/v1/batches", self._create, methods=["POST"]),
            Route("/v1/batches", self._list),
            Route("/v1/batches/{id}", self._retrieve),
            Route("/v1/batches/{id}/cancel", self._cancel, methods=["POST"]),
        ]

    async def _upload(self, request: Request) -> Response:
        try:
            purpose, name, content = _form(request.headers.get("content-type", ""), await request.body())
        except InputError as error:
            return bodies.error(400, "invalid_request_error", str(error))
        if purpose != "batch" or len(content) > MAX_FILE_BYTES:
            return bodies.error(
                400, "invalid_request_error", "a batch's input is a file of that purpose and size"
            )
        return bodies.as_json(self._stored(name, content, purpose="batch"))

    async def _delete(self, request: Request) -> Response:
        id_ = request.path_params["id"]
        if self._files.pop(id_, None) is None:
            return _not_found()
        return bodies.as_json({"id": id_, "object": "file", "deleted": True})

    async def _content(self, request: Request) -> Response:
        found = self._files.get(request.path_params["id"])
        if found is None:
            return _not_found()
        return Response(found[1], media_type="application/jsonl", headers=bodies.MARK)

    async def _create(self, request: Request) -> Response:
        try:
            wanted = json.loads(await request.body())
            stored = self._files[wanted["input_file_id"]]
            good = wanted["endpoint"] == ENDPOINT and wanted["completion_window"] == "24h"
        except (ValueError, TypeError, KeyError):
            good = False
        if not good:
            return bodies.error(400, "invalid_request_error", "not a batch of chat completions within 24h")
        now = time.time()
        batch = Batch(
            id=f"batch_{len(self._batches) + 1}",
            input_file_id=wanted["input_file_id"],
            metadata=wanted.get("metadata") or {},
            created_at=now,
            due_at=now + self._delay_s,
        )
        try:
            batch.requests = _requests(stored[1])
        except InputError as error:
            batch.status, batch.errors = "failed", [str(error)]
        self._batches[batch.id] = batch
        return bodies.as_json(_batch_json(batch))

    async def _list(self, request: Request) -> Response:
        newest_first = list(self._batches.values())[::-1]
        after = request.query_params.get("after")
        if after is not None:
            ids = [batch.id for batch in newest_first]
            newest_first = newest_first[ids.index(after) + 1 :] if after in ids else []
        limit = min(int(request.query_params.get("limit", 20)), _PAGE)
        page = [_batch_json(batch) for batch in newest_first[:limit]]
        return bodies.as_json({"object": "list", "data": page, "has_more": len(newest_first) > limit})

    async def _retrieve(self, request: Request) -> Response:
        batch = self._batches.get(request.path_params["id"])
        if batch is None:
            return _not_found()
        if batch.status == "in_progress" and time.time() >= batch.due_at:
            self._run(batch)
        return bodies.as_json(_batch_json(batch))

    async def _cancel(self, request: Request) -> Response:
        batch = self._batches.get(request.path_params["id"])
        if batch is None:
            return _not_found()
        if batch.status == "in_progress":
            batch.status = "cancelled"
        return bodies.as_json(_batch_json(batch))

    def _run(self, batch: Batch) -> None:
        """Answer what is answered in time, in any order, as the real one does."""
        replies: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for request in self._random.sample(batch.requests, len(batch.requests)):
            if self._random.random() < self._expire_rate:
                errors.append(_line(request, error="batch_expired"))
                continue
            status, body = self._answer(json.dumps(request["body"]).encode())
            (replies if status == 200 else errors).append(_line(request, status=status, body=body))
        batch.status = "expired" if any(line["error"] for line in errors) else "completed"
        batch.completed, batch.failed = len(replies), len(errors)
        batch.output_file_id = self._written(replies)
        batch.error_file_id = self._written(errors)

    def _written(self, lines: list[dict[str, Any]]) -> str | None:
        if not lines:
            return None
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return str(self._stored("output.jsonl", content, purpose="batch_output")["id"])

    def _stored(self, name: str, content: bytes, *, purpose: str) -> dict[str, Any]:
        id_ = f"file-{len(self._files) + 1}-{self._random.randrange(16**8):08x}"
        self._files[id_] = (name, content)
        stored = {"id": id_, "object": "file", "bytes": len(content), "created_at": int(time.time())}
        return {**stored, "filename": name, "purpose": purpose, "status": "processed"}


def _form(content_type: str, body: bytes) -> tuple[str, str, bytes]:
    """Purpose, file name and content of an upload."""
    message = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = list(message.get_payload()) if message.is_multipart() else []
    fields = {part.get_param("name", header="content-disposition"): part for part in parts}
    if not {"purpose", "file"} <= fields.keys():
        raise InputError("not an upload", expected="a form with purpose and file")
    purpose = fields["purpose"].get_payload(decode=True).decode()
    return purpose, fields["file"].get_filename() or "file", fields["file"].get_payload(decode=True)


def _requests(content: bytes) -> list[dict[str, Any]]:
    """The requests of an input file. Raises InputError at the first bad line."""
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        request = _request(line)
        if request is None or request["custom_id"] in found:
            raise InputError(f"line {number} is no request, or repeats an id")
        found[request["custom_id"]] = request
    if not 0 < len(found) <= MAX_REQUESTS:
        raise InputError("an empty batch, or one too large", expected=f"1 to {MAX_REQUESTS} requests")
    if len({request["body"].get("model") for request in found.values()}) > 1:
        raise InputError("a batch is for one model")
    return list(found.values())


def _request(line: bytes) -> dict[str, Any] | None:
    try:
        request: dict[str, Any] = json.loads(line)
        good = request["method"] == "POST" and request["url"] == ENDPOINT
        return request if good and isinstance(request["body"], dict) and request["custom_id"] else None
    except (ValueError, TypeError, KeyError):
        return None


def _line(
    request: Mapping[str, Any], *, status: int = 0, body: object = None, error: str = ""
) -> dict[str, Any]:
    response = {"status_code": status, "request_id": f"req-{request['custom_id']}", "body": body}
    return {
        "id": f"batch_req_{request['custom_id']}",
        "custom_id": request["custom_id"],
        "response": None if error else response,
        "error": {"code": error, "message": "this request was not done in time"} if error else None,
    }


def _batch_json(batch: Batch) -> dict[str, Any]:
    def stamp(*, reached: bool, at: float) -> int | None:
        return int(at) if reached else None

    ended = batch.status != "in_progress"
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": ENDPOINT,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": int(batch.created_at),
        "expires_at": int(batch.created_at) + 86_400,
        "completed_at": stamp(reached=ended, at=batch.due_at),
        "request_counts": {
            "total": len(batch.requests),
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": dict(batch.metadata),
        "errors": {"object": "list", "data": [{"code": "invalid", "message": text} for text in batch.errors]}
        if batch.errors
        else None,
    }


def _not_found() -> Response:
    return bodies.error(404, "not_found", "there is no such file or batch")
