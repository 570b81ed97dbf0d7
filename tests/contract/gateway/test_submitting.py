"""Submitting posts over real HTTP: each status, and what it promises."""

from __future__ import annotations

import inspect
import json
import socket
from contextlib import ExitStack

import pytest

from tests.contract.gateway.world import World, post
from tests.support.waiting import wait_until
from workers.gateway.body import Bodies


def test_what_is_answered_202_is_committed(world: World) -> None:
    answer = world.submit(post(metadata={"likes": 3}, created_at="2026-03-07T17:00:00+01:00"))

    assert answer.status_code == 202
    stored = world.reader.document(answer.json()["items"][0]["id"])
    assert stored is not None
    assert (stored.text, stored.metadata, stored.status) == ("hello Porto", {"likes": 3}, "accepted")


def test_each_post_gets_its_own_result(world: World) -> None:
    world.submit(post("1"))

    answer = world.submit(post("1"), post("1", "another text"), post("2", ""), post("3"))

    assert answer.status_code == 202
    body = answer.json()
    assert [item["status"] for item in body["items"]] == ["duplicate", "conflict", "rejected", "accepted"]
    assert [body[name] for name in ("accepted", "duplicates", "conflicts", "rejected")] == [1, 1, 1, 1]
    assert body["items"][0]["id"] == body["items"][1]["id"]
    assert body["items"][2]["error"]["problem"] == "text is empty"


def test_the_same_post_twice_in_one_body_is_one_document(world: World) -> None:
    first, second = world.submit(post(), post()).json()["items"]

    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert first["id"] == second["id"]


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl; charset=utf-8"])
def test_lines_are_taken_and_a_bad_one_is_named_by_its_line(world: World, content_type: str) -> None:
    body = f"{json.dumps(post('é'))}\n\n{{not json\n".encode()

    answer = world.client.post("/v1/documents", content=body, headers={"content-type": content_type})

    assert answer.status_code == 202
    good, bad = answer.json()["items"]
    assert good["status"] == "accepted"
    assert (bad["status"], bad["index"], bad["line"]) == ("rejected", 1, 3)


def test_400_with_each_error_where_every_post_is_rejected(world: World) -> None:
    answer = world.submit(post(text="x" * 51), post(text="a\0b"))

    assert answer.status_code == 400
    problems = [item["error"]["problem"] for item in answer.json()["items"]]
    assert problems == ["text is too long", "text has a NUL character"]


def test_400_where_the_body_cannot_be_read(world: World) -> None:
    too_many = world.submit(*(post(str(number)) for number in range(5)))
    broken = world.client.post("/v1/documents", content=b"[", headers={"content-type": "application/json"})

    assert (too_many.status_code, broken.status_code) == (400, 400)
    assert too_many.json()["error"] == {
        "problem": "the body holds too many posts",
        "expected": "1 to 4 posts",
        "got": "more than 4",
        "hint": "send them in several requests",
    }


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "text/plain"}, {"content-type": "application/json", "content-encoding": "gzip"}],
)
def test_415_for_what_is_not_json(world: World, headers: dict[str, str]) -> None:
    answer = world.client.post("/v1/documents", content=b"[]", headers=headers)

    assert answer.status_code == 415


def test_413_for_a_body_that_says_it_is_too_large(world: World) -> None:
    answer = world.client.post(
        "/v1/documents", content=b"x" * 2_001, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 413


def test_413_comes_while_a_body_of_unknown_length_still_streams(world: World) -> None:
    url = world.client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n7d1\r\n" + b"x" * 2_001 + b"\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_429_past_the_high_water_mark_until_documents_are_finished(world: World) -> None:
    ids = [item["id"] for item in world.submit(post("1"), post("2"), post("3")).json()["items"]]

    world.later()
    refused = world.submit(post("4"))
    world.finish(ids[0])
    world.later()
    taken = world.submit(post("4"))

    assert (refused.status_code, taken.status_code) == (429, 202)
    assert int(refused.headers["retry-after"]) > 0
    assert taken.json()["accepted"] == 1  # nothing of the refused request was kept


def test_429_while_as_many_bodies_are_held_as_there_is_room_for(world: World) -> None:
    held = inspect.signature(Bodies).parameters["max_held"].default
    slow = b"POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    slow += b"content-length: 100\r\n\r\n["

    def upload() -> None:
        url = world.client.base_url
        connection = uploads.enter_context(socket.create_connection((url.host, url.port)))
        connection.sendall(slow)

    def is_full() -> bool:
        upload()  # in place of one that was refused while the request below took the last room
        answer = world.submit(post())
        return answer.status_code == 429 and "too many requests" in answer.json()["error"]["problem"]

    with ExitStack() as uploads:
        for _ in range(held):
            upload()
        assert wait_until(is_full)
    assert wait_until(lambda: world.submit(post()).status_code == 202)
