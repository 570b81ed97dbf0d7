"""Gives results: one document by id or name, and the feed of finished ones."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from workers.gateway.access import REFUSALS, Access
from workers.gateway.problems import ErrorBody, Problem, Refusal
from workers.gateway.wire import Document, FeedPage
from workers.ports import DocumentView, Reader

MAX_ID = 2**63 - 1  # PostgreSQL's bigint
MAX_PAGE = 1_000

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Name = Annotated[str, Query(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]


def document_routes(reader: Reader, access: Access) -> APIRouter:
    """The routes that read."""
    router = APIRouter(
        dependencies=[Depends(access.needs("read"))],
        responses={
            **REFUSALS,
            422: {"model": ErrorBody, "description": "A parameter cannot be used"},
            503: {"model": ErrorBody, "description": "The store cannot be reached; see Retry-After"},
        },
    )
    not_found: dict[int | str, dict[str, Any]] = {
        404: {"model": ErrorBody, "description": "There is no such document"}
    }

    @router.get("/v1/documents/{document_id}", summary="One document by its id", responses=not_found)
    def document(document_id: Id) -> Document:
        return _found(reader.document(document_id))

    @router.get("/v1/documents", summary="One document by its source and id there", responses=not_found)
    def find(source: Name, external_id: Name) -> Document:
        return _found(reader.find(source=source, external_id=external_id))

    @router.get("/v1/feed", summary="Finished documents after a cursor")
    def feed(
        after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before")] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> FeedPage:
        return FeedPage.of(reader.feed(after=after, limit=limit), after=after)

    return router


def _found(view: DocumentView | None) -> Document:
    if view is None:
        raise Refusal(404, Problem("there is no such document"))
    return Document.of(view)
