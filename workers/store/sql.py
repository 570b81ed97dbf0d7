"""Small pieces that the store's statements share."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from workers.ports import Stage

CHANNEL = "linkner"
"""The channel of LISTEN and NOTIFY; its payloads are stages with new due rows."""

NAME_CHARS = 200
"""What is kept of the name of a model."""

RAW_CHARS = 4_000
"""What is kept of a reply."""

_NOTIFY = text("SELECT pg_notify(:channel, stage) FROM unnest(CAST(:stages AS text[])) AS stage")


def notify(connection: Connection, stages: Collection[Stage]) -> None:
    """Tell the relay, at commit, that these stages have due rows."""
    if stages:
        connection.execute(_NOTIFY, {"channel": CHANNEL, "stages": sorted(stages)})


def columns(rows: Iterable[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    """Rows turned into one list a name: the arrays that a set-based statement unnests."""
    turned: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(values) for name, values in zip(names, turned, strict=True)}


def as_json(value: object) -> str:
    """JSON for jsonb. Many values go as one JSON array: an array of jsonb would quote each of them again."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_ERROR_CHARS = 500


def storable_error(error: str | None) -> str | None:
    """An error's message as a row keeps it."""
    return None if error is None else storable(error, limit=_ERROR_CHARS)


def storable(value: str, *, limit: int) -> str:
    """At most `limit` characters, with what PostgreSQL's text cannot hold (NUL, lone surrogates) replaced."""
    return value[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
