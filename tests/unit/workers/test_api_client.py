"""Submissions are cut into requests by lines and by bytes; refusals are told in words."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from linkner.errors import RejectedError
from workers import api_client


def sizes(lines: list[bytes]) -> list[int]:
    return [len(batch) for batch in api_client._batches(lines)]


def test_no_request_has_more_lines_than_allowed() -> None:
    assert sizes([b"{}"] * (2 * api_client.BATCH + 1)) == [api_client.BATCH, api_client.BATCH, 1]


def test_long_lines_make_shorter_requests() -> None:
    line = b"x" * (api_client.BATCH_BYTES // 4)
    assert sizes([line] * 9) == [4, 4, 1]


def test_nothing_to_submit_makes_no_request() -> None:
    assert sizes([]) == []


def test_a_long_line_has_a_request_of_its_own() -> None:
    assert sizes([b"{}", b"x" * (api_client.BATCH_BYTES + 1), b"{}"]) == [1, 1, 1]


def test_blank_lines_are_not_sent_and_lines_keep_their_numbers() -> None:
    assert [*api_client._batches([b"\n", b"1\n", b" \r\n", b"2\n"])] == [[(2, b"1\n"), (4, b"2\n")]]
    assert sizes([b"{}"] * api_client.BATCH + [b"\n"]) == [api_client.BATCH]


def gateway(request: httpx.Request) -> httpx.Response:
    """Takes no more than 40 bytes, knows a post that starts with `known`, and rejects one with `bad`."""
    if len(request.content) > 40:
        return httpx.Response(413, json={"error": {"problem": "the body is too large"}})
    lines = request.content.decode().splitlines()
    statuses = [
        "rejected" if "bad" in line else "conflict" if "known" in line else "accepted" for line in lines
    ]
    error = {"problem": "it is bad", "expected": "a good one", "got": "", "hint": ""}
    items = [{"status": status, "error": error if status == "rejected" else None} for status in statuses]
    counts = {
        "accepted": statuses.count("accepted"),
        "duplicates": 0,
        "conflicts": statuses.count("conflict"),
    }
    return httpx.Response(202, json={**counts, "rejected": statuses.count("rejected"), "items": items})


def test_a_conflict_is_counted_and_told() -> None:
    submitted = client_of(gateway).submit([b"new\n", b"\n", b"known\n", b"bad\n"])
    assert submitted == api_client.Submitted(
        accepted=1,
        conflicts=1,
        rejected=1,
        refusals=(
            "line 3: another text is there under its source and external_id, and is kept",
            "line 4: it is bad; expected a good one",
        ),
    )


def test_a_line_too_large_for_a_request_is_a_refusal_of_its_own() -> None:
    submitted = client_of(gateway).submit([b"1\n"] * 30 + [b"x" * 41] + [b"3\n"] * 30)
    assert (submitted.accepted, submitted.rejected) == (60, 1)
    assert submitted.refusals == ("line 31: it is too large for a request; got 41 bytes",)


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> api_client.GatewayClient:
    client = api_client.GatewayClient("http://gateway")
    client._http = httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(answer))
    return client


def refused_by(answer: httpx.Response) -> str:
    client = client_of(lambda request: answer)
    with pytest.raises(RejectedError) as caught:
        client.document(source="x", external_id="nosuch")
    return str(caught.value)


def test_the_gateway_s_reason_is_told_in_words() -> None:
    error = {"problem": "there is no such document", "expected": "", "got": "nosuch", "hint": ""}
    shown = refused_by(httpx.Response(404, json={"error": error}))
    assert shown == "the gateway refused /v1/documents: there is no such document; got nosuch"


@pytest.mark.parametrize("text", ["<html>", '{"detail": "Not Found"}', "[]"])
def test_what_another_server_says_is_shown_as_it_came(text: str) -> None:
    assert refused_by(httpx.Response(404, text=text)).endswith(f"got {text}")
