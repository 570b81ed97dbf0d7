"""The replaying endpoint's batch API, through the client that real batches go through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from linkner.classification import ask_about
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from tests.support.replaying import replaying
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies

POST = "Mira Okafor sings in Lagos"
REPLIES = RecordedReplies({POST: (LabelledSpan(Span(0, 11), "person"),)})


@contextmanager
def simulating(behaviour: Behaviour) -> Iterator[openai.OpenAI]:
    with (
        replaying(REPLIES, behaviour) as url,
        openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with simulating(Behaviour()) as client:
        yield client


def request(custom_id: str, *, text: str = POST, **changed: Any) -> dict[str, Any]:
    prompt = ask_about(text, Span(0, 4), label_set("wnut17"))
    messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
    body = {"model": "m", "messages": messages, "max_tokens": prompt.max_tokens}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body} | changed


def create(client: openai.OpenAI, *requests: dict[str, Any]) -> openai.types.Batch:
    lines = b"\n".join(json.dumps(each).encode() for each in requests)
    stored = client.files.create(file=("input.jsonl", lines), purpose="batch")
    return client.batches.create(
        input_file_id=stored.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"name": "first"},
    )


def lines(client: openai.OpenAI, file_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def test_each_request_has_one_reply(client: openai.OpenAI) -> None:
    created = create(client, request("a"), request("b"), request("c", text="Nobody recorded this"))
    assert created.metadata == {"name": "first"}
    batch = client.batches.retrieve(created.id)
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 2, 1)
    replies = {line["custom_id"]: line["response"] for line in lines(client, batch.output_file_id)}
    assert replies.keys() == {"a", "b"}
    assert replies["a"]["body"]["choices"][0]["message"]["content"] == "Non-entity"
    assert replies["a"]["body"]["system_fingerprint"] == "linkner-replay"
    (error,) = lines(client, batch.error_file_id)
    assert (error["custom_id"], error["response"]["status_code"]) == ("c", 400)


def test_a_batch_takes_its_time_and_may_run_out_of_it() -> None:
    with simulating(Behaviour(batch_s=60.0)) as client:
        assert client.batches.retrieve(create(client, request("a")).id).status == "in_progress"
    with simulating(Behaviour(batch_expire_rate=1.0)) as client:
        batch = client.batches.retrieve(create(client, request("a")).id)
        assert (batch.status, batch.output_file_id) == ("expired", None)
        (error,) = lines(client, batch.error_file_id)
        assert error["error"]["code"] == "batch_expired"


@pytest.mark.parametrize(
    "requests",
    [
        [request("a"), request("a")],
        [request("a", method="GET")],
        [request("a", url="/v1/embeddings")],
        [request("a"), request("b", body={"model": "another"})],
        [{"custom_id": "a"}],
        [],
    ],
)
def test_a_file_with_a_fault_fails_as_a_whole(client: openai.OpenAI, requests: list[dict[str, Any]]) -> None:
    batch = create(client, *requests)
    assert batch.status == "failed"
    assert batch.errors.data


def test_batches_are_listed_newest_first_page_by_page(client: openai.OpenAI) -> None:
    made = [create(client, request(str(number))).id for number in range(3)]
    assert [batch.id for batch in client.batches.list(limit=2)][:3] == made[::-1]


def test_a_cancelled_batch_is_not_done(client: openai.OpenAI) -> None:
    created = create(client, request("a"))
    assert client.batches.cancel(created.id).status == "cancelled"
    assert client.batches.retrieve(created.id).status == "cancelled"


def test_a_deleted_file_is_gone(client: openai.OpenAI) -> None:
    stored = client.files.create(file=("input.jsonl", b"{}"), purpose="batch")
    client.files.delete(stored.id)
    with pytest.raises(openai.NotFoundError):
        client.files.content(stored.id)


def test_other_purposes_and_unknown_files_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("input.jsonl", b"{}"), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError):
        client.batches.create(
            input_file_id="file-0", endpoint="/v1/chat/completions", completion_window="24h"
        )
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_0")
