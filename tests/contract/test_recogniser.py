"""ports.RecogniserClient: one body over the fake, and over the client with the real service on Ray Serve.

The service loads a recogniser without a model, so that it starts fast. Services that misbehave are played by
raw sockets.
"""

from __future__ import annotations

import json
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from linkner.chunks import MAX_TEXTS, write_response
from linkner.errors import ConfigurationError, CrashedError, RejectedError, ServiceError, UnavailableError
from linkner.spans import Recognition
from tests.fakes.endpoint import answering, response
from tests.fakes.recogniser import FakeRecogniser, TinyRecogniser
from tests.support.waiting import wait_until
from trainer.service import serving
from workers.ports import RecogniserClient
from workers.recogniser_client import HttpRecogniser


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with serving(TinyRecogniser, host="127.0.0.1", port=0, replicas=1, max_queued=2) as url:
        yield url


@pytest.fixture(params=["fake", "http"])
def recogniser(request: pytest.FixtureRequest) -> Iterator[RecogniserClient]:
    if request.param == "fake":
        yield FakeRecogniser()
        return
    client = HttpRecogniser(request.getfixturevalue("service"), timeout_s=10.0)
    yield client
    client.close()


def test_each_text_gets_its_recognition_in_order(recogniser: RecogniserClient) -> None:
    texts = ["Mira Okafor sings", "nobody here", "in Lagos 🎶 with Ada Obi", ""]
    model, found = recogniser.recognise(texts)
    assert model == "tiny-1"
    surfaces = [
        [entity.span.of(text) for entity in one.entities] for text, one in zip(texts, found, strict=True)
    ]
    assert surfaces == [["Mira Okafor"], [], ["Lagos", "Ada Obi"], []]


def test_no_texts_get_no_recognitions(recogniser: RecogniserClient) -> None:
    assert recogniser.recognise([]) == ("tiny-1", [])


def refusing(request: pytest.FixtureRequest, kind: str) -> RecogniserClient:
    if kind == "fake":
        return FakeRecogniser(deque([RejectedError("too many texts")]))
    return HttpRecogniser(request.getfixturevalue("service"), timeout_s=10.0)


@pytest.mark.parametrize("kind", ["fake", "http"])
def test_a_chunk_that_will_never_pass_is_rejected(request: pytest.FixtureRequest, kind: str) -> None:
    with pytest.raises(RejectedError, match="too many texts"):
        refusing(request, kind).recognise(["x"] * (MAX_TEXTS + 1))


def test_a_full_queue_is_unavailable_and_says_for_how_long(service: str) -> None:
    client = HttpRecogniser(service, timeout_s=10.0)

    def outcome(_: int) -> float | None:
        try:
            client.recognise(["a slow text"])
        except UnavailableError as error:
            return error.retry_after_s
        return None

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(outcome, range(12)))
    assert set(outcomes) == {None, 1.0}
    assert client.recognise(["a text"])[0] == "tiny-1"


def test_a_text_that_breaks_the_recogniser_is_a_crash_and_passes(recogniser: RecogniserClient) -> None:
    with pytest.raises(CrashedError):
        recogniser.recognise(["a fine text", "a broken text"])
    assert recogniser.recognise(["Lagos"])[1][0].entities


def test_a_text_that_kills_its_replica_is_a_crash_and_passes(service: str) -> None:
    client = HttpRecogniser(service, timeout_s=10.0)
    with pytest.raises(CrashedError):
        client.recognise(["a deadly text"])

    def is_back() -> bool:
        try:
            return bool(client.recognise(["Lagos"])[1][0].entities)
        except ServiceError:
            return False

    assert wait_until(is_back, within_s=30, every_s=0.2)


def test_health_names_the_model(service: str) -> None:
    assert httpx.get(f"{service}/healthz").json() == {
        "status": "ok",
        "model": "tiny-1",
        "label_set": "wnut17",
        "replicas": 1,
    }


def test_a_bad_body_is_answered_with_what_is_wrong(service: str) -> None:
    answer = httpx.post(f"{service}/recognise", content=b'{"v": 9}')
    assert answer.status_code == 400
    assert "version" in answer.json()["error"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/recognise"), ("POST", "/healthz"), ("GET", "/other")])
def test_nothing_else_is_served(service: str, method: str, path: str) -> None:
    assert httpx.request(method, service + path).status_code == 404


def test_a_taken_port_is_named_at_once(service: str) -> None:
    port = int(service.rpartition(":")[2])
    context = serving(TinyRecogniser, host="127.0.0.1", port=port, replicas=1, max_queued=1)
    with pytest.raises(ConfigurationError, match=str(port)), context:
        pass


BODIES = {
    "another number of results": write_response("m", [Recognition((), ())] * 2),
    "another version": json.dumps({"v": 2, "model": "m", "results": [{}]}).encode(),
    "another service": b"<html>hello</html>",
}


def test_an_answer_that_cannot_be_read_is_not_quoted() -> None:
    result = {"entities": ["Ada in Oslo"], "plausible": []}
    body = json.dumps(json.loads(write_response("m", [Recognition((), ())])) | {"results": [result]}).encode()
    with (
        answering(lambda connection: connection.sendall(response(body))) as url,
        pytest.raises(UnavailableError, match="cannot be read") as caught,
    ):
        HttpRecogniser(url, timeout_s=5.0).recognise(["x"])
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_an_answer_that_cannot_be_read_is_no_fault_of_the_texts(body: bytes) -> None:
    with (
        answering(lambda connection: connection.sendall(response(body))) as url,
        pytest.raises(UnavailableError, match="cannot be read"),
    ):
        HttpRecogniser(url, timeout_s=5.0).recognise(["x"])


@pytest.mark.parametrize(
    ("status", "error"), [(400, RejectedError), (413, RejectedError), (422, RejectedError)]
)
def test_what_is_said_of_the_texts_is_a_refusal(status: int, error: type[Exception]) -> None:
    expect(error, lambda connection: connection.sendall(response(b"{}", status=f"{status} No")))


@pytest.mark.parametrize("status", [302, 401, 404, 429, 502, 503, 504])
def test_any_other_status_is_no_fault_of_the_texts(status: int) -> None:
    expect(UnavailableError, lambda connection: connection.sendall(response(b"{}", status=f"{status} No")))


def test_a_broken_connection_is_unavailable() -> None:
    expect(UnavailableError, lambda connection: connection.sendall(b"HTTP/1.1 200"))


def test_silence_is_unavailable_after_the_time_limit() -> None:
    start = time.monotonic()
    expect(UnavailableError, lambda _: time.sleep(20), timeout_s=0.2)
    assert time.monotonic() - start < 10


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError, match="reached"):
        HttpRecogniser(f"http://127.0.0.1:{port}", timeout_s=5.0).recognise(["x"])


def expect(error: type[Exception], write: Callable[[socket.socket], None], *, timeout_s: float = 5.0) -> None:
    with answering(write) as url, pytest.raises(error):
        HttpRecogniser(url, timeout_s=timeout_s).recognise(["x"])
