"""When a service wants to be asked again, read from its response's headers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 3600.0

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
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
    """Seconds in a duration such as 6m0s or 20ms; 0.0 where something remains or it cannot be read."""
    value = headers.get(f"x-ratelimit-reset-{dimension}", "")
    if headers.get(f"x-ratelimit-remaining-{dimension}") != "0" or not _DURATION.fullmatch(value):
        return 0.0
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(value))
