"""Everything that the replaying endpoint serves says that it is a replay, whatever the route."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from linkner.classification import ask_about
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies
from workers.simulate_llm.server import ReplayServer

POST = "Mira Okafor sings in Lagos"
REPLIES = RecordedReplies({POST: (LabelledSpan(Span(0, 11), "person"),)})
COMPLETIONS = "/v1/chat/completions"
QUESTION = {
    "model": "m",
    "messages": [{"role": "user", "content": ask_about(POST, Span(0, 11), label_set("wnut17")).user}],
}
REQUEST = {"custom_id": "a", "method": "POST", "url": COMPLETIONS, "body": QUESTION}
UPLOAD: dict[str, Any] = {
    "data": {"purpose": "batch"},
    "files": {"file": ("input.jsonl", json.dumps(REQUEST).encode())},
}


def replay() -> TestClient:
    return TestClient(ReplayServer(REPLIES, Behaviour()).app())


ROUTES = [
    (method, route.path)
    for route in ReplayServer(REPLIES, Behaviour()).app().routes
    for method in sorted(route.methods - {"HEAD"})  # type: ignore[attr-defined]
]
REFUSING = [(method, path) for method, path in ROUTES if method == "POST" or "{id}" in path]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_what_a_route_answers_is_marked(method: str, path: str) -> None:
    client = replay()
    file = client.post("/v1/files", **UPLOAD).json()["id"]
    wanted = {"input_file_id": file, "endpoint": COMPLETIONS, "completion_window": "24h"}
    batch = client.post("/v1/batches", json=wanted).json()["id"]
    sent: dict[str, dict[str, Any]] = {
        COMPLETIONS: {"json": QUESTION},
        "/v1/files": UPLOAD,
        "/v1/batches": {"json": wanted},
    }
    more = sent.get(path, {}) if method == "POST" else {}
    answer = client.request(method, path.format(id=file if "files" in path else batch), **more)
    assert (answer.status_code, answer.headers.get("x-linkner-replayed")) == (200, "true")


@pytest.mark.parametrize(("method", "path"), REFUSING)
def test_what_a_route_refuses_is_marked(method: str, path: str) -> None:
    answer = replay().request(method, path.format(id="none"))
    assert answer.status_code in {400, 404}
    assert answer.headers.get("x-linkner-replayed") == "true"
    assert answer.json()["error"]["message"]
