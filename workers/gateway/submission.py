"""Takes posts: `POST /v1/documents` answers only after they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from linkner.errors import InputError
from workers.gateway.access import REFUSALS, Access
from workers.gateway.body import Bodies
from workers.gateway.looks import SharedLook
from workers.gateway.metrics import GatewayMetrics
from workers.gateway.problems import RETRY_AFTER_S, ErrorBody, Problem, Refusal
from workers.handlers.posts import FORMATS, MAX_DEADLINE_S, PostError, PostLimits, body_format, parse_posts
from workers.ports import Accepted, ApiKey, Clock, Lane, NewDocument, Reader, Store

COUNT_AGE_S = 1.0
"""How old the count of unfinished documents may be: posts of so long may go over the high-water mark."""

Status = Literal["accepted", "duplicate", "conflict", "rejected"]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of the post at `index` (from 0), with its `line` (from 1) where posts come as lines.

    `accepted`: committed now. `duplicate`: the same post was committed before. `conflict`: a post with the
    same source and external_id but another text was; that one is kept. `rejected`: the error says why.
    """

    index: int
    line: int | None
    status: Status
    id: int | None
    error: Problem | None


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """How many posts ended in each way, and each one's result in order."""

    accepted: int
    duplicates: int
    conflicts: int
    rejected: int
    items: list[ItemResult]


class Room:
    """Whether more documents are taken: not while more are under way than the high-water mark.

    They are counted once for all requests of a second: counting for each would put the work of an overload on
    the store, and to refuse would cost more than to accept.
    """

    def __init__(self, reader: Reader, *, high_water: int, clock: Clock) -> None:
        self._high_water = high_water
        self._unfinished = SharedLook(
            lambda: reader.unfinished(up_to=high_water + 1), clock=clock, max_age_s=COUNT_AGE_S, at_first=0
        )

    def check(self) -> None:
        """Refuse with 429 where there is none."""
        if self._unfinished() > self._high_water:
            raise Refusal(
                429,
                Problem(
                    "too many documents wait to be finished",
                    expected=f"at most {self._high_water}",
                    got="more",
                    hint="send the same posts again later",
                ),
                retry_after_s=RETRY_AFTER_S,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Checks and commits the posts of one body. Blocks; runs in a thread."""

    store: Store
    limits: PostLimits
    room: Room

    def submit(self, body: bytes, content_type: str, *, charge: Callable[[int], None]) -> SubmitResult:
        """One result for each post; good ones are committed when this returns.

        `charge` is told first how many posts there are, and refuses what is over the quota.
        """
        posts = parse_posts(body, content_type, self.limits)
        charge(len(posts))
        documents = [post for post in posts if isinstance(post, NewDocument)]
        accepted = iter(self.store.accept(documents) if documents else [])
        items = [_item(index, post, accepted) for index, post in enumerate(posts)]
        statuses = [item.status for item in items]
        return SubmitResult(
            accepted=statuses.count("accepted"),
            duplicates=statuses.count("duplicate"),
            conflicts=statuses.count("conflict"),
            rejected=statuses.count("rejected"),
            items=items,
        )


def submission_routes(
    submission: Submission, bodies: Bodies, metrics: GatewayMetrics, access: Access
) -> APIRouter:
    """The route that takes posts."""
    router = APIRouter()
    producer = Depends(access.needs("submit"))

    @router.post(
        "/v1/documents",
        status_code=202,
        summary="Submit posts",
        description="Takes a JSON array of posts, or one post a line. 202 says that every post not rejected"
        " is committed. Sending a post again is safe: source and external_id name it.",
        openapi_extra={"requestBody": _request_body(submission.limits)},
        responses={
            **REFUSALS,
            400: {
                "model": SubmitResult | ErrorBody,
                "description": "All posts rejected, or no posts read",
            },
            408: {"model": ErrorBody, "description": "The body came too slowly"},
            413: {"model": ErrorBody, "description": "The body is too large"},
            415: {"model": ErrorBody, "description": "Neither JSON nor lines of JSON, or compressed"},
            429: {
                "model": ErrorBody,
                "description": "Too much waits, or the quota is used up; see Retry-After",
            },
            503: {"model": ErrorBody, "description": "The store cannot be reached; see Retry-After"},
        },
    )
    async def submit(request: Request, response: Response, key: ApiKey | None = producer) -> SubmitResult:
        content_type = request.headers.get("content-type", "")
        try:
            body_format(content_type)
        except InputError as error:
            raise Refusal(415, Problem.of(error)) from None
        with bodies.held():
            await run_in_threadpool(submission.room.check)
            result = await run_in_threadpool(
                submission.submit,
                await bodies.read(request),
                content_type,
                charge=lambda posts: access.charge(key, posts=posts),
            )
        for item in result.items:
            metrics.count_post(item.status)
        if result.rejected == len(result.items):
            response.status_code = 400
        return result

    return router


def _item(index: int, post: NewDocument | PostError, accepted: Iterator[Accepted]) -> ItemResult:
    if isinstance(post, PostError):
        return ItemResult(index, post.line, "rejected", None, Problem.of(post.error))
    outcome = next(accepted)
    status: Status = "conflict" if outcome.conflict else "duplicate" if outcome.duplicate else "accepted"
    return ItemResult(index, None, status, outcome.document_id, None)


def _request_body(limits: PostLimits) -> dict[str, Any]:
    """The OpenAPI description of a body of posts: it is read as a stream, so that no model declares it."""
    name = {"type": "string", "minLength": 1, "maxLength": limits.max_id_chars}
    post = {
        "type": "object",
        "description": "`id` is read where external_id is missing; other fields are ignored.",
        "required": ["source", "external_id", "text"],
        "properties": {
            "source": name | {"description": "Where the post comes from, such as twitter"},
            "external_id": name | {"description": "The post's id there"},
            "text": {"type": "string", "minLength": 1, "maxLength": limits.max_text_chars},
            "created_at": {"type": ["string", "null"], "format": "date-time"},
            "author": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": limits.max_id_chars,
                "description": "Who wrote it there: all posts of an author can be erased at once",
            },
            "metadata": {"type": ["object", "null"], "description": "Kept and given back as it is"},
            "lane": {
                "enum": [*get_args(Lane), None],
                "description": "When the LLM is asked about it; else as its source has it",
            },
            "deadline_s": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": MAX_DEADLINE_S,
                "description": "Age in seconds at which it is finished without the LLM's answers",
            },
        },
    }
    array = {"type": "array", "items": post, "minItems": 1, "maxItems": limits.max_items}
    schemas = {"array": array, "lines": {"type": "string", "description": "One post a line, as JSON"}}
    return {
        "required": True,
        "content": {media_type: {"schema": schemas[layout]} for media_type, layout in FORMATS.items()},
    }
