"""What the replaying endpoint writes down, says in its headers, and does when it is down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from linkner.classification import ask_about
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from workers.quota_headers import said
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies
from workers.simulate_llm.server import ReplayServer

POST = "Mira Okafor sings in Lagos"
REPLIES = RecordedReplies({POST: (LabelledSpan(Span(0, 11), "person"),)})


def body(*, filler: str = "", max_tokens: int = 50) -> dict[str, Any]:
    prompt = ask_about(POST, Span(0, 11), label_set("wnut17"))
    messages = [
        {"role": "system", "content": filler + prompt.system},
        {"role": "user", "content": prompt.user},
    ]
    return {"model": "m", "messages": messages, "max_tokens": max_tokens}


def asking(server: ReplayServer, times: int, **options: Any) -> list[Any]:
    client = TestClient(server.app())
    return [client.post("/v1/chat/completions", json=body(**options)) for _ in range(times)]


def test_each_call_is_a_line_without_text(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    server = ReplayServer(REPLIES, Behaviour(requests_per_minute=2), ledger=path)
    replies = asking(server, 3)
    server.log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 429] == [one.status_code for one in replies]
    assert [line["violation"] for line in lines] == [False, False, True]
    used = replies[0].json()["usage"]["total_tokens"]
    assert [line["used"] for line in lines] == [used, used, 0]
    assert lines[0]["asked"] == replies[0].json()["usage"]["prompt_tokens"] + 50
    assert len({line["question"] for line in lines}) == 1
    assert "Mira" not in path.read_text()


def test_full_headers_say_what_the_limiter_reads_and_wrong_ones_say_nothing_dangerous() -> None:
    full = Behaviour(requests_per_minute=100, tokens_per_minute=100_000, quota_headers="full")
    last = asking(ReplayServer(REPLIES, full), 5)[-1]
    assert last.headers["x-ratelimit-remaining-requests"] == "95"
    found = said(last.headers)
    assert (found.requests_per_minute, found.tokens_per_minute, found.pause_s) == (100, 100_000, None)
    wrong = Behaviour(requests_per_minute=100, quota_headers="wrong")
    for reply in asking(ReplayServer(REPLIES, wrong), 30):
        assert reply.status_code == 200
        assert said(reply.headers).requests_per_minute is None


@pytest.mark.parametrize(("kind", "is_said"), [("none", False), ("retry-after", True), ("full", True)])
def test_a_call_beyond_the_limit_is_told_when_to_come_back_or_not(kind: Any, is_said: bool) -> None:
    *_, refused = asking(ReplayServer(REPLIES, Behaviour(requests_per_minute=1, quota_headers=kind)), 2)
    assert refused.status_code == 429
    assert ("retry-after" in refused.headers) is is_said


@pytest.mark.parametrize(("down_as", "status"), [("500", 500), ("429", 429)])
def test_while_it_is_down_every_call_fails_and_none_counts(down_as: Any, status: int) -> None:
    server = ReplayServer(REPLIES, Behaviour(requests_per_minute=1, down_for_s=60.0, down_as=down_as))
    assert {reply.status_code for reply in asking(server, 3)} == {status}
    assert TestClient(server.app()).get("/ledger").json()["violations"] == 0


def test_the_beginning_of_a_long_prompt_is_served_cached_the_second_time() -> None:
    server = ReplayServer(REPLIES, Behaviour())
    first, second = asking(server, 2, filler="x" * 6_000)
    counts = [reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"] for reply in (first, second)]
    assert counts[0] == 0
    assert counts[1] >= 1_024
    assert counts[1] % 128 == 0
    assert asking(ReplayServer(REPLIES, Behaviour()), 2)[1].json()["usage"]["prompt_tokens_details"] == {
        "cached_tokens": 0
    }, "short prompts are not"
