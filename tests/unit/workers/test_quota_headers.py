"""When to ask again, and what an endpoint's limits are, as endpoints of different makes say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.limits import MAX_LIMIT, NOTHING_SAID, Limits, Said
from workers.quota_headers import MAX_RETRY_AFTER_S, retry_after_s, said


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


def quota(dimension: str, *, limit: str, remaining: str, reset: str) -> dict[str, str]:
    values = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{what}-{dimension}": value for what, value in values.items()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (quota("requests", limit="60", remaining="59", reset="1s"), Said(requests_per_minute=60)),
        (quota("tokens", limit="150000", remaining="149984", reset="6ms"), Said(tokens_per_minute=150_000)),
        (quota("requests", limit="60", remaining="0", reset="1m0s"), Said(60, pause_s=60.0)),
        (quota("requests", limit="14400", remaining="14370", reset="2m59.56s"), NOTHING_SAID),
        (quota("requests", limit="200", remaining="0", reset="7m12s"), Said(pause_s=432.0)),
    ],
)
def test_limits_of_a_minute_are_taken_and_those_of_a_day_are_not(headers: dict, expected: Said) -> None:
    assert said(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        quota("requests", limit="-1", remaining="-1", reset="-1"),
        quota("requests", limit="0", remaining="0", reset="0s"),
        quota("requests", limit="60", remaining="60", reset="0s"),
        quota("requests", limit="60", remaining="61", reset="1s"),
        quota("requests", limit="sixty", remaining="59", reset="1s"),
        quota("requests", limit="60.5", remaining="59", reset="1s"),
        quota("requests", limit=f"{MAX_LIMIT + 1}", remaining="5", reset="60s"),
        quota("requests", limit="60", remaining="59", reset="1772877600"),
        {"x-ratelimit-limit-requests": "60"},
    ],
)
def test_quotas_that_say_nothing_are_ignored(headers: dict[str, str]) -> None:
    assert said(headers) == NOTHING_SAID


NAMES = [
    f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")
]
VALUES = st.one_of(
    st.text(max_size=60), st.integers().map(str), st.from_regex(r"\A\d{1,20}(ms|s|m|h)\Z"), st.just("0")
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.integers(0, 10_000), st.integers(0, 10_000))
def test_whatever_is_said_never_makes_a_limit_larger(
    headers: dict[str, str], requests: int, tokens: int
) -> None:
    found = said(headers)
    limits = found.lowering(Limits(requests_per_minute=requests, tokens_per_minute=tokens))
    assert not requests or 0 < limits.requests_per_minute <= requests
    assert not tokens or 0 < limits.tokens_per_minute <= tokens
    assert found.pause_s is None or 0 < found.pause_s <= MAX_RETRY_AFTER_S
