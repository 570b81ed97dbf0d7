"""When to ask again, as endpoints of different makes say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.retry_after import MAX_RETRY_AFTER_S, retry_after_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "999999999"}, MAX_RETRY_AFTER_S),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        (
            {"date": "Sat, 07 Mar 2026 10:00:00 GMT", "retry-after": "Sat, 07 Mar 2026 10:00:30 GMT"},
            30.0,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0.5s"}, 360.5),
        (
            {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
            },
            2.0,
        ),
    ],
)
def test_what_is_said_is_read(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_s(headers) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "-1"},
        {"retry-after": "0"},
        {"retry-after": "inf"},
        {"retry-after": "nan"},
        {"retry-after": "soon"},
        {"retry-after": "Sat, 07 Mar 2026 10:00:30 GMT"},
        {"date": "Sat, 07 Mar 2026 10:00:30 GMT", "retry-after": "Sat, 07 Mar 2026 10:00:00 GMT"},
        {"date": "Sat, 07 Mar 2026 10:00:30", "retry-after": "Sat, 07 Mar 2026 10:01:00 GMT"},
        {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "-1"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1772877600"},
        {"x-ratelimit-reset-requests": "1s"},
    ],
)
def test_what_says_nothing_is_ignored(headers: dict[str, str]) -> None:
    assert retry_after_s(headers) is None


NAMES = [
    "date",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
]


@given(st.dictionaries(st.sampled_from(NAMES), st.one_of(st.text(), st.sampled_from(["0", "1s", "1e400"]))))
def test_no_header_can_break_it_or_ask_for_more_than_the_bound(headers: dict[str, str]) -> None:
    wait = retry_after_s(headers)
    assert wait is None or 0 < wait <= MAX_RETRY_AFTER_S
