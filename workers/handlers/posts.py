"""Checks incoming posts: bytes from a producer in, documents or one clear error for each post out.

Nothing here touches a server. Whatever the bytes are, only InputError comes out, and only where the body as
a whole cannot be read; everything else that is wrong is the error of one post, next to the good ones.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from typing import Any, Literal, cast, get_args

from linkner.errors import InputError
from workers.handlers.decoding import MAX_DIGITS, decode
from workers.ports import Lane, NewDocument

Format = Literal["array", "lines"]

FORMATS: Mapping[str, Format] = {
    "application/json": "array",
    "application/x-ndjson": "lines",
    "application/jsonl": "lines",
}
"""The media types of a body of posts."""

MAX_DEADLINE_S = 30 * 86_400
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostLimits:
    """Bounds of one body and its posts. `_chars` are Unicode code points, of metadata as JSON."""

    max_items: int = 1_000
    max_text_chars: int = 20_000
    max_id_chars: int = 256
    max_metadata_chars: int = 8_192
    max_metadata_depth: int = 8


@dataclass(frozen=True, slots=True)
class PostError:
    """Why the post at `index` (from 0) cannot be taken; `line` (from 1) where posts come as lines."""

    index: int
    error: InputError
    line: int | None = None


def body_format(content_type: str) -> Format:
    """How posts are laid out in a body of this content type. Raises InputError for a type not in FORMATS."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in FORMATS:
        raise InputError(
            "posts cannot be read from this content type",
            expected=" or ".join(FORMATS),
            got=ascii(media_type[:100]) if media_type else "none",
        )
    return FORMATS[media_type]


def parse_posts(body: bytes, content_type: str, limits: PostLimits) -> list[NewDocument | PostError]:
    """The posts of one body, in order: a document for each good one, an error for each other one.

    Unknown fields of a post are ignored, and `id` is read where `external_id` is missing, so that exports of
    other tools can be sent as they are.

    Raises:
        InputError: for the whole body: wrong content type, not JSON, not an array, no post, too many.
    """
    if body_format(content_type) == "array":
        values: Iterator[tuple[int | None, object]] = ((None, value) for value in _read_array(body, limits))
    else:
        values = _read_lines(body, limits)
    return [_document_or_error(index, line, value, limits) for index, (line, value) in enumerate(values)]


def parse_post(value: object, limits: PostLimits) -> NewDocument:
    """The document of one decoded JSON value. Raises InputError where it is not a post within the limits."""
    if not isinstance(value, dict):
        raise InputError("a post must be a JSON object", got=_kind(value))
    return NewDocument(
        source=_name(value.get("source"), "source", limits),
        external_id=_name(value.get("external_id", value.get("id")), "external_id", limits),
        text=_text(value.get("text"), limits),
        created_at=_time(value.get("created_at")),
        metadata=_metadata(value.get("metadata"), limits),
        lane=_lane(value.get("lane")),
        deadline_s=_deadline(value.get("deadline_s")),
        author=None if value.get("author") is None else _name(value["author"], "author", limits),
    )


def _read_array(body: bytes, limits: PostLimits) -> list[object]:
    value = decode(body, "the body")
    if not isinstance(value, list):
        raise InputError(
            "the body must be a JSON array of posts",
            got=_kind(value),
            hint="put posts in [ ], or send one a line as application/x-ndjson",
        )
    _check_count(len(value), limits)
    return value


def _read_lines(body: bytes, limits: PostLimits) -> Iterator[tuple[int | None, object]]:
    """Line numbers and decoded lines; a line that is no JSON yields its error in place of a value."""
    lines = enumerate(BytesIO(body.removeprefix(b"\xef\xbb\xbf")), start=1)
    # Line by line, and no further than to the first too many: a body of short lines is many objects.
    filled = list(islice((line for line in lines if line[1].strip()), limits.max_items + 1))
    _check_count(len(filled), limits)
    for number, line in filled:
        try:
            yield number, decode(line.removesuffix(b"\n"), "the line")
        except InputError as error:
            yield number, error


def _document_or_error(
    index: int, line: int | None, value: object, limits: PostLimits
) -> NewDocument | PostError:
    if isinstance(value, InputError):
        return PostError(index, value, line)
    try:
        return parse_post(value, limits)
    except InputError as error:
        return PostError(index, error, line)


def _check_count(count: int, limits: PostLimits) -> None:
    if not 0 < count <= limits.max_items:
        raise InputError(
            "the body holds too many posts" if count else "the body holds no posts",
            expected=f"1 to {limits.max_items} posts",
            got=f"more than {limits.max_items}" if count else "none",
            hint="send them in several requests" if count else "",
        )


def _name(value: object, field: str, limits: PostLimits) -> str:
    """A short string that must be there: where a post comes from, or its id there."""
    name = _string(value, field)
    if len(name) > limits.max_id_chars:
        raise InputError(f"{field} is too long", expected=_at_most(limits.max_id_chars), got=str(len(name)))
    return name


def _text(value: object, limits: PostLimits) -> str:
    text = _string(value, "text")
    if len(text) > limits.max_text_chars:
        raise InputError(
            "text is too long",
            expected=_at_most(limits.max_text_chars),
            got=str(len(text)),
            hint="send a long text in parts, each a post with its own external_id",
        )
    return text


def _string(value: object, field: str) -> str:
    if value is None:
        raise InputError(f"{field} is missing", expected="a non-empty string")
    if not isinstance(value, str):
        raise InputError(f"{field} must be a string", got=_kind(value))
    if not value.strip():
        raise InputError(f"{field} is empty", expected="more than white space")
    _check_characters(value, field)
    return value


def _check_characters(value: str, field: str) -> None:
    """Refuse what no UTF-8 database column holds."""
    if "\0" in value:
        raise InputError(f"{field} has a NUL character", got=f"U+0000 at position {value.index(chr(0))}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{field} has a lone surrogate",
            got=f"U+{ord(value[error.start]):04X} at position {error.start}",
            hint="half of a character was cut off; send the whole one",
        ) from None


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError("created_at must be a string", got=_kind(value))
    try:
        if not _RFC_3339.fullmatch(value):
            raise ValueError
        # A second that no clock shows, or a time that leaves the calendar on its way to UTC, fails here
        time = datetime.fromisoformat(value.upper()).astimezone(UTC)
        if not 1 < time.year < 9999:  # so that it also stays in the calendar of any time zone
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(
            "created_at is not an RFC 3339 time",
            expected="a time such as 2026-03-07T17:00:00Z, years 2 to 9998",
            got=ascii(value[:40]),
        ) from None
    return time


def _metadata(value: object, limits: PostLimits) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("metadata must be an object", got=_kind(value))
    _check_json(value, limits.max_metadata_depth)
    size = len(json.dumps(value, ensure_ascii=False))
    if size > limits.max_metadata_chars:
        raise InputError(
            "metadata is too large", expected=f"JSON of {_at_most(limits.max_metadata_chars)}", got=str(size)
        )
    return value


def _lane(value: object) -> Lane | None:
    if value is not None and value not in get_args(Lane):
        raise InputError("there is no such lane", expected=" or ".join(get_args(Lane)), got=_shown(value))
    return cast("Lane | None", value)


def _deadline(value: object) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < cast(float, value) <= MAX_DEADLINE_S:
        raise InputError(
            "deadline_s is out of range",
            expected=f"seconds above 0, at most {MAX_DEADLINE_S}",
            got=_shown(value),
        )
    return float(cast(float, value))


def _check_json(value: object, depth: int) -> None:
    """Refuse what a JSON column cannot hold, and nesting deeper than `depth`."""
    if isinstance(value, str):
        _check_characters(value, "metadata")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(
            "metadata has a number out of range", expected=f"finite, and at most {MAX_DIGITS} digits"
        )
    elif isinstance(value, dict | list):
        if depth == 0:
            raise InputError("metadata is nested too deeply")
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _check_json(inner, depth - 1)
    elif not isinstance(value, int | float | None):
        # Celery's JSON brings times, decimals and the like back as such, where a producer sent some.
        raise InputError("metadata has a value that is not JSON", got=type(value).__name__)


def _kind(value: object) -> str:
    """The JSON type of a decoded value: errors name it and never show the value, which is somebody's post."""
    return _TYPES.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    """A value that is no text of a post: its beginning, or its kind."""
    return ascii(value)[:40] if isinstance(value, str | int | float) else _kind(value)


def _at_most(chars: int) -> str:
    return f"at most {chars} characters"
