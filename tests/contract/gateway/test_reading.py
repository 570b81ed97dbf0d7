"""Documents and the feed over real HTTP."""

from __future__ import annotations

from linkner.spans import Entity, Span
from tests.contract.gateway.world import World, post
from workers.ports import Selection


def test_a_document_is_found_by_its_id_and_by_its_name(world: World) -> None:
    id_ = world.submit(post("x/1 é")).json()["items"][0]["id"]

    by_id = world.client.get(f"/v1/documents/{id_}")
    by_name = world.client.get("/v1/documents", params={"source": "twitter", "external_id": "x/1 é"})

    assert by_id.status_code == 200
    assert by_id.json() == by_name.json()
    assert by_id.json()["id"] == id_


def test_unknown_documents_and_parameters_out_of_range(world: World) -> None:
    expected = {
        "/v1/documents/1": 404,
        "/v1/documents?source=twitter&external_id=1": 404,
        f"/v1/documents/{2**63 - 1}": 404,
        f"/v1/documents/{2**63}": 422,
        f"/v1/documents/{'9' * 5_000}": 422,
        "/v1/documents/0": 422,
        "/v1/documents/porto": 422,
        "/v1/documents?source=twitter": 422,
        "/v1/documents?source=a%00b&external_id=1": 422,
        f"/v1/feed?after={2**63}": 422,
        "/v1/feed?after=-1": 422,
        "/v1/feed?limit=0": 422,
        "/v1/feed?limit=1001": 422,
    }

    answers = {path: world.client.get(path) for path in expected}

    assert {path: answer.status_code for path, answer in answers.items()} == expected
    assert all(answer.json()["error"]["problem"] for answer in answers.values())


def test_the_feed_tells_of_what_was_erased(world: World) -> None:
    first, second = (item["id"] for item in world.submit(post("1", author="ada"), post("2")).json()["items"])
    world.finish(first)
    world.finish(second)
    page = world.client.get("/v1/feed").json()
    assert [entry["document"]["author"] for entry in page["items"]] == ["ada", None]
    world.erase(Selection(author="ada"))
    news = world.client.get("/v1/feed", params={"after": page["next"]}).json()
    assert news == {"items": [], "erased": [{"cursor": news["next"], "id": first}], "next": news["next"]}
    assert news["next"] > page["next"]
    assert world.client.get(f"/v1/documents/{first}").status_code == 404


def test_the_feed_goes_on_after_its_cursor_and_shows_how_labels_came_about(world: World) -> None:
    first, second = (item["id"] for item in world.submit(post("1"), post("2")).json()["items"])
    empty = world.client.get("/v1/feed").json()
    porto = Entity(Span(6, 11), "location", "fallback", 0.75, 0.5, reason="deadline")
    world.finish(second, porto)
    world.finish(first)

    page = world.client.get("/v1/feed", params={"limit": 1}).json()
    rest = world.client.get("/v1/feed", params={"after": page["next"]}).json()
    end = world.client.get("/v1/feed", params={"after": rest["next"]}).json()

    assert empty == {"items": [], "erased": [], "next": 0}
    assert [entry["document"]["id"] for entry in page["items"] + rest["items"]] == [second, first]
    assert end == {"items": [], "erased": [], "next": rest["next"]}
    [document] = [entry["document"] for entry in page["items"]]
    assert document["status"] == "final"
    [entity] = document["entities"]
    assert (entity["start"], entity["end"], entity["text"]) == (6, 11, "Porto")
    assert (entity["decided_by"], entity["reason"], entity["replayed"]) == ("fallback", "deadline", False)
