"""What a response's headers say: when a service wants to be asked again, and what its limits are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from broker.limits import MAX_LIMIT, Said

MAX_RETRY_AFTER_S = 3600.0
_MINUTE_S = (20.0, 120.0)
"""What counts as a minute: resets are rounded, and tell little where little was used."""

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_DIGITS = re.compile(r"\d{1,15}", re.ASCII)
_LONGEST = 40
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, in (0, MAX_RETRY_AFTER_S]; None where the headers (lower-case names) say nothing.

    The first of these that says something: the millisecond form that some hosts add, Retry-After in
    seconds, Retry-After as a date against the response's own Date, and the longest `x-ratelimit-reset` of
    a dimension of which nothing remains. Values that are missing, zero, negative or unreadable say nothing.
    """
    said = (
        _positive(headers.get("retry-after-ms"), unit_s=0.001),
        _positive(headers.get("retry-after")),
        _between(headers.get("date"), headers.get("retry-after")),
        max(_reset_s(headers, dimension) for dimension in ("requests", "tokens")) or None,
    )
    return next((min(wait, MAX_RETRY_AFTER_S) for wait in said if wait is not None), None)


def said(headers: Mapping[str, str]) -> Said:
    """What the headers (lower-case names) of a successful response tell the limiter.

    A dimension of which nothing remains is a pause until it is reset. A limit is only taken where it is one
    of a minute: some providers state those of a day under the same name. The time until all of it is there
    again, by the share that is used, tells which: limit 60, remaining 59, reset 1 s is a minute; limit
    14,400, remaining 14,370, reset 3 min is a day. What is missing, negative, absurd or unreadable says
    nothing.
    """
    pause = max(_reset_s(headers, dimension) for dimension in ("requests", "tokens"))
    return Said(
        requests_per_minute=_per_minute(headers, "requests"),
        tokens_per_minute=_per_minute(headers, "tokens"),
        pause_s=min(pause, MAX_RETRY_AFTER_S) or None,
    )


def _per_minute(headers: Mapping[str, str], dimension: str) -> int | None:
    limit, remaining = (
        _whole(headers.get(f"x-ratelimit-{what}-{dimension}")) for what in ("limit", "remaining")
    )
    if limit is None or remaining is None or not 0 < limit <= MAX_LIMIT or remaining >= limit:
        return None
    window_s = _duration_s(headers.get(f"x-ratelimit-reset-{dimension}", "")) * limit / (limit - remaining)
    return limit if _MINUTE_S[0] <= window_s <= _MINUTE_S[1] else None


def _whole(value: str | None) -> int | None:
    return int(value) if value and _DIGITS.fullmatch(value) else None


def _positive(value: str | None, *, unit_s: float = 1.0) -> float | None:
    try:
        number = float(value or "") * unit_s
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _between(start: str | None, end: str | None) -> float | None:
    """Seconds between two HTTP dates; the response's own clock is the only one that its dates share."""
    try:
        seconds = (parsedate_to_datetime(end or "") - parsedate_to_datetime(start or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _reset_s(headers: Mapping[str, str], dimension: str) -> float:
    """Seconds until a dimension is reset of which nothing remains; else 0.0."""
    if headers.get(f"x-ratelimit-remaining-{dimension}") != "0":
        return 0.0
    return _duration_s(headers.get(f"x-ratelimit-reset-{dimension}", ""))


def _duration_s(value: str) -> float:
    """Seconds in a duration such as 6m0s or 20ms; 0.0 where it is none."""
    if len(value) > _LONGEST or not _DURATION.fullmatch(value):
        return 0.0
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(value))
