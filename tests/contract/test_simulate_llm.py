"""The replaying endpoint as a program: its command line, and what it serves over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from linkner.classification import ask_about
from linkner.labels import label_set
from linkner.spans import Span

POST = "Mira Okafor sings in Lagos"
ENTITY = {"start": 0, "end": 11, "text": "Mira Okafor", "type": "person"}
ROOT = Path(__file__).parents[2]


@contextmanager
def simulating(folder: Path, *options: str) -> Iterator[httpx.Client]:
    """A client of `linkner simulate-llm` running in a process of its own."""
    posts, replies = folder / "posts.jsonl", folder / "replies.jsonl"
    posts.write_text(json.dumps({"id": "1", "text": POST}))
    replies.write_text(json.dumps({"id": "1", "entities": [ENTITY]}))
    files = ["--posts", str(posts), "--replies", str(replies)]
    command = [sys.executable, "-m", "workers.cli", "simulate-llm", *files, *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["recorded"] == 1
            with httpx.Client(base_url=ready["base_url"]) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with simulating(tmp_path_factory.mktemp("simulate")) as client:
        yield client


def call(user: str, **more: Any) -> dict[str, Any]:
    return {"model": "any-name", "messages": [{"role": "user", "content": user}], **more}


def question(text: str = POST) -> str:
    return ask_about(text, Span(0, 11), label_set("wnut17")).user


def ledger(client: httpx.Client) -> dict[str, int]:
    found = client.get(str(client.base_url).replace("/v1/", "/ledger"))
    assert found.headers["x-linkner-replayed"] == "true"
    return found.json()


def test_a_completion_has_the_usual_shape_and_says_that_it_is_a_replay(client: httpx.Client) -> None:
    answer = client.post("/chat/completions", json=call(question(), max_tokens=16))
    value = answer.json()
    assert answer.headers["x-linkner-replayed"] == "true"
    assert value["system_fingerprint"] == "linkner-replay"
    assert (value["object"], value["model"]) == ("chat.completion", "any-name")
    assert value["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "person"}, "finish_reason": "stop"}
    ]
    assert value["usage"]["total_tokens"] == value["usage"]["prompt_tokens"] + 2
    assert value["usage"]["prompt_tokens"] == -(-len(question()) // 4)


def test_only_the_last_user_message_is_asked(client: httpx.Client) -> None:
    earlier = {"role": "user", "content": question("Another post, not recorded")}
    body = call(question())
    body["messages"] = [
        {"role": "system", "content": question("One more that is not recorded")},
        earlier,
        *body["messages"],
    ]
    assert client.post("/chat/completions", json=body).json()["choices"][0]["message"]["content"] == "person"


def test_a_post_without_a_reply_is_refused_and_never_answered(client: httpx.Client) -> None:
    before = ledger(client)
    answer = client.post("/chat/completions", json=call(question("Another post, not recorded")))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "no_recorded_reply"
    assert ledger(client)["not_recorded"] == before["not_recorded"] + 1
    assert ledger(client)["answered"] == before["answered"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 50_000,
        json.dumps(call("no question")).encode(),
        json.dumps({"messages": []}).encode(),
        json.dumps({"model": "m", "messages": [{"role": "system", "content": "x"}]}).encode(),
        json.dumps({"model": "m", "messages": [{"role": "user", "content": ["x"]}]}).encode(),
        json.dumps(call(question(), max_tokens="many")).encode(),
        json.dumps(call("x" * 2_000_000)).encode(),
    ],
)
def test_what_is_no_question_is_refused_and_counted(client: httpx.Client, body: bytes) -> None:
    before = ledger(client)["refused"]
    answer = client.post("/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request_error"
    assert ledger(client)["refused"] == before + 1


def test_it_lists_a_model_and_its_health(client: httpx.Client) -> None:
    assert client.get("/models").json()["data"][0]["id"] == "linkner-replay"
    assert client.get(str(client.base_url).replace("/v1/", "/healthz")).json() == {
        "status": "ok",
        "recorded": 1,
    }


LIMITS = [("--requests-per-minute=3",), ("--tokens-per-minute=400", "--charge=asked")]


@pytest.mark.parametrize("options", LIMITS)
def test_calls_beyond_a_limit_are_refused_and_counted(tmp_path: Path, options: tuple[str, ...]) -> None:
    with simulating(tmp_path, *options) as client:
        codes = [
            client.post("/chat/completions", json=call(question(), max_tokens=60)).status_code
            for _ in range(10)
        ]
        answer = client.post("/chat/completions", json=call(question(), max_tokens=60))
        found = ledger(client)
    assert codes == [200] * 3 + [429] * 7
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert (found["calls"], found["answered"], found["violations"], found["peak_per_minute"]) == (
        11,
        3,
        8,
        11,
    )


def test_a_dripping_reply_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with simulating(tmp_path, "--drip-rate=1", "--drip-s=600") as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat/completions", json=call(question()), timeout=0.3)
        with client.stream("POST", "/chat/completions", json=call(question()), timeout=5) as response:
            assert next(response.iter_raw()) == b"{"


def test_a_wrong_option_is_one_line_for_people(tmp_path: Path) -> None:
    files = ["--posts", str(tmp_path / "none"), "--replies", str(tmp_path / "none")]
    command = [sys.executable, "-m", "workers.cli", "simulate-llm", *files]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr.startswith("linkner: the file")
    assert found.stderr.count("\n") == 1
