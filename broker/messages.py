"""Wire messages: JSON objects with a version, carrying ids, never text or objects.

Workers one version apart share the queues. A reader takes the version before its own, its own, and newer ones
whose `since`, the oldest version that understands the message, it has reached. A release that adds to a
message leaves `since` as it was; one that changes what a reader must know comes after a release that reads
both. What a reader does not understand is parked.

The one exception is `ingest`, the door for Celery producers: its message carries the posts themselves,
which are not accepted before they are committed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from linkner.errors import InputError

VERSION = 1
OLDEST = 1
"""The oldest version that this process reads."""

MAX_IDS = 1024
"""Most ids in one message."""


def encode_ids(ids: Sequence[int]) -> dict[str, Any]:
    """The message that carries these ids."""
    return {"v": VERSION, "ids": list(ids)}


def decode_ids(message: object) -> tuple[int, ...]:
    """The ids of a message.

    Raises:
        InputError: where it is no message of a version that this process reads.
    """
    ids = _body(message, key="ids")
    if len(ids) > MAX_IDS or not all(type(value) is int and 0 < value < 2**63 for value in ids):
        raise InputError("unusable ids in a message", expected=f"at most {MAX_IDS} positive integers")
    return tuple(ids)


def encode_posts(posts: Sequence[Any]) -> dict[str, Any]:
    """The `ingest` message that carries these posts (JSON objects as the gateway takes them).

    Raises:
        InputError: one is not plain JSON. Celery would carry a time or a decimal, but no worker takes it.
    """
    for index, post in enumerate(posts):
        try:
            json.dumps(post, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            name = post.get("external_id", post.get("id")) if isinstance(post, dict) else None
            raise InputError(
                f"the post at index {index} (external_id {ascii(name)[:100]}) is not plain JSON",
                got=str(error),
                hint="send times as text, and decimals as text or numbers",
            ) from None
    return {"v": VERSION, "posts": list(posts)}


def decode_posts(message: object) -> list[Any]:
    """The posts of an `ingest` message, unchecked. Raises InputError as `decode_ids` does."""
    return _body(message, key="posts")


def _body(message: object, *, key: str) -> list[Any]:
    if not isinstance(message, dict) or not _is_readable(message):
        version = message.get("v") if isinstance(message, dict) else type(message).__name__
        raise InputError("unknown message version", expected=f"{OLDEST} to {VERSION}", got=repr(version)[:80])
    body = message.get(key)
    if not isinstance(body, list):
        raise InputError(f"a message without {key!r}", expected="a list", got=type(body).__name__)
    return body


def _is_readable(message: dict[str, Any]) -> bool:
    version = message.get("v")
    since = message.get("since", version)
    if type(version) is not int or type(since) is not int:
        return False
    return version >= OLDEST and since <= VERSION
