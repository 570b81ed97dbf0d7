"""Submissions are cut into requests by lines and by bytes; refusals are told in words."""

from __future__ import annotations

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


def refused_by(answer: httpx.Response) -> str:
    client = api_client.GatewayClient("http://gateway")
    client._http = httpx.Client(
        base_url="http://gateway", transport=httpx.MockTransport(lambda request: answer)
    )
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
