"""ports.Llm: one body over the fake and over the real client, the endpoint being the replaying server.

Endpoints that misbehave in ways which that server cannot are played by raw sockets.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.request import urlopen

import pytest

from linkner.classification import NON_ENTITY, Form, FormName, Prompt, ask_about, ask_at_once
from linkner.errors import NotReachedError, RejectedError, ServiceError, StoppedError, UnavailableError
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from tests.fakes.endpoint import answering, response
from tests.fakes.llm import FakeLlm
from tests.support.replaying import replaying
from workers.llm_client import MAX_REPLY_BYTES, OpenAiLlm
from workers.ports import Llm
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies, SpanQuestion

POST = "Mira Okafor sings in Lagos"
REPLIES = RecordedReplies(
    {POST: (LabelledSpan(Span(0, 11), "person"), LabelledSpan(Span(21, 26), "location"))}
)
KEY = "sk-not-to-be-shown"
DEADLINE_S = 1.0
LATE_S = DEADLINE_S + 6.0
"""By then a call is over that its deadline ended, on a busy machine too; what misbehaves goes on longer."""


def prompt(start: int, end: int, text: str = POST) -> Prompt:
    return ask_about(text, Span(start, end), label_set("wnut17"))


@contextmanager
def client(base_url: str, *, deadline_s: float = DEADLINE_S, connections: int = 4) -> Iterator[OpenAiLlm]:
    llm = OpenAiLlm(
        base_url=base_url, api_key=KEY, model="some-model", deadline_s=deadline_s, connections=connections
    )
    try:
        yield llm
    finally:
        llm.close()


FAILURES: dict[str, ServiceError] = {
    "limit": UnavailableError("busy", retry_after_s=30.0),
    "error": UnavailableError("busy"),
    "drip": UnavailableError("late"),
}
BEHAVIOURS = {
    "limit": Behaviour(requests_per_minute=1),
    "error": Behaviour(error_rate=1.0),
    "drip": Behaviour(drip_rate=1.0, drip_s=60.0),
}


def fake(failure: str | None) -> FakeLlm:
    failures = deque([FAILURES[failure]] if failure else [])
    return FakeLlm(lambda asked: REPLIES.answer(SpanQuestion.read(asked.user)), failures, model="some-model")


@pytest.fixture(params=["fake", "http"])
def llm_with(request: pytest.FixtureRequest) -> Iterator[Callable[[str | None], Llm]]:
    """Makes an Llm whose next call goes well (None) or fails in the named way."""
    with ExitStack() as stack:

        def over_http(failure: str | None) -> Llm:
            behaviour = BEHAVIOURS[failure] if failure else Behaviour()
            llm = stack.enter_context(client(stack.enter_context(replaying(REPLIES, behaviour))))
            if failure == "limit":
                llm.ask(prompt(0, 11))
            return llm

        yield fake if request.param == "fake" else over_http


@pytest.mark.parametrize(("start", "end", "answer"), [(0, 11, "person"), (12, 17, NON_ENTITY)])
def test_a_question_gets_its_answer(
    llm_with: Callable[[str | None], Llm], start: int, end: int, answer: str
) -> None:
    reply = llm_with(None).ask(prompt(start, end))
    assert (reply.text, reply.model, reply.replayed) == (answer, "some-model", True)
    assert reply.prompt_tokens > 0
    assert reply.completion_tokens > 0


def test_a_limit_says_when_to_come_back(llm_with: Callable[[str | None], Llm]) -> None:
    with pytest.raises(UnavailableError) as caught:
        llm_with("limit").ask(prompt(0, 11))
    assert 0 < caught.value.retry_after_s <= 60


@pytest.mark.parametrize("failure", ["error", "drip"])
def test_a_fault_is_unavailable_and_over_by_the_deadline(
    llm_with: Callable[[str | None], Llm], failure: str
) -> None:
    llm, start = llm_with(failure), time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        llm.ask(prompt(0, 11))
    assert time.monotonic() - start < LATE_S
    assert caught.value.retry_after_s is None


def test_a_refusal_is_for_good_and_shows_neither_post_nor_key(llm_with: Callable[[str | None], Llm]) -> None:
    with pytest.raises(RejectedError) as caught:
        llm_with(None).ask(prompt(0, 7, "unknown post"))
    assert "unknown" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_malformed_replies_are_unavailable_or_no_label() -> None:
    with replaying(REPLIES, Behaviour(malformed_rate=1.0)) as base_url, client(base_url) as llm:
        found = []
        for _ in range(40):
            try:
                found.append(llm.ask(prompt(0, 11)).text)
            except UnavailableError:
                found.append(None)
    assert None in found
    assert set(found) - {None}
    assert "person" not in found


def test_no_call_is_repeated_unseen() -> None:
    with replaying(REPLIES, Behaviour(error_rate=1.0)) as base_url, client(base_url) as llm:
        with pytest.raises(UnavailableError):
            llm.ask(prompt(0, 11))
        with urlopen(base_url.replace("/v1", "/ledger")) as response:
            assert json.load(response)["calls"] == 1


def test_as_many_calls_as_connections_run_at_once() -> None:
    with (
        replaying(REPLIES, Behaviour(latency_median_s=1.0)) as base_url,
        client(base_url, deadline_s=20.0, connections=8) as llm,
    ):
        llm.ask(prompt(0, 11))
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: llm.ask(prompt(0, 11)), range(8)))
        assert time.monotonic() - start < 6.0, "one after another they take 8 s"


def unavailable(write: Callable[[socket.socket], None], *, match: str) -> float:
    """The seconds after which the call failed."""
    with answering(write) as url, client(f"{url}/v1") as llm:
        start = time.monotonic()
        with pytest.raises(UnavailableError, match=match):
            llm.ask(prompt(0, 11))
        return time.monotonic() - start


def test_headers_that_drip_end_at_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)

    assert DEADLINE_S <= unavailable(drip, match="in time") < LATE_S


def test_silence_ends_at_the_deadline() -> None:
    assert DEADLINE_S <= unavailable(lambda _: time.sleep(20), match="in time") < LATE_S


def test_calls_under_way_and_those_to_come_can_be_cut_off() -> None:
    under_way = threading.Event()

    def silent(_: socket.socket) -> None:
        under_way.set()
        time.sleep(20)

    with answering(silent) as url, client(url, deadline_s=30.0) as llm, ThreadPoolExecutor() as threads:
        call = threads.submit(llm.ask, prompt(0, 11))
        assert under_way.wait(10)
        llm.cut_off()
        assert isinstance(call.exception(timeout=10), StoppedError)
        with pytest.raises(StoppedError):
            llm.ask(prompt(0, 11))


def test_a_reply_that_is_too_large_is_cut_off() -> None:
    unavailable(
        lambda connection: connection.sendall(response(b" " * (MAX_REPLY_BYTES + 1))), match="too large"
    )


def test_an_error_that_is_too_large_is_cut_off() -> None:
    body = response(b" " * (MAX_REPLY_BYTES + 1), status="500 Internal Server Error")
    unavailable(lambda connection: connection.sendall(body), match="too large")


def test_a_compressed_reply_is_not_unpacked() -> None:
    body = response(gzip.compress(b" " * 50_000_000), headers="content-encoding: gzip\r\n")
    unavailable(lambda connection: connection.sendall(body), match="compressed")


def test_a_connection_that_breaks_may_have_asked() -> None:
    with (
        answering(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-le")) as url,
        client(f"{url}/v1") as llm,
        pytest.raises(UnavailableError, match="reached") as caught,
    ):
        llm.ask(prompt(0, 11))
    assert not isinstance(caught.value, NotReachedError)


@pytest.mark.parametrize(
    ("host", "why"), [("127.0.0.1", "Connection refused"), ("nowhere.invalid", ".*[Nn]ame")]
)
def test_where_nobody_listens_nothing_was_asked_and_why_is_told(host: str, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = f"reached; got {why}.*; check LINKNER_LLM_BASE_URL"
    with client(f"http://{host}:{port}/v1") as llm, pytest.raises(NotReachedError, match=told):
        llm.ask(prompt(0, 11))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", RejectedError),
        ("422 Unprocessable", RejectedError),
        ("301 Moved", UnavailableError),
        ("307 Redirect", UnavailableError),
        ("401 Unauthorized", UnavailableError),
        ("404 Not Found", UnavailableError),
        ("405 Not Allowed", UnavailableError),
    ],
)
def test_refusals_quote_nothing_and_those_of_url_key_or_model_wait_to_be_mended(
    status: str, kind: type[ServiceError]
) -> None:
    body = json.dumps({"error": {"message": f"bad key {KEY} for {POST}", "code": "no_such_thing"}}).encode()
    answer = response(body, status=status, headers="location: http://example.org/\r\n")
    with (
        answering(lambda connection: connection.sendall(answer)) as url,
        client(f"{url}/v1") as llm,
        pytest.raises(kind, match="no_such_thing") as caught,
    ):
        llm.ask(prompt(0, 11))
    assert getattr(caught.value, "retry_after_s", None) == (30.0 if kind is UnavailableError else None)
    assert KEY not in str(caught.value)
    assert POST not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("status", ["408 Timeout", "409 Conflict", "429 Too Many", "500 Oops", "503 Busy"])
def test_errors_that_pass_are_unavailable_with_their_retry_after(status: str) -> None:
    answer = response(b"{}", status=status, headers="retry-after: 3\r\n")
    with (
        answering(lambda connection: connection.sendall(answer)) as url,
        client(f"{url}/v1") as llm,
        pytest.raises(UnavailableError) as caught,
    ):
        llm.ask(prompt(0, 11))
    assert caught.value.retry_after_s == 3.0


def _packed(form: FormName) -> Prompt:
    places = [Span(0, 11), Span(12, 17)]
    return ask_at_once(POST, places, form=Form(name=form), label_set=label_set("wnut17")).prompt


@pytest.mark.parametrize(
    ("form", "reply"),
    [
        ("packed", '{"1": "person", "2": "Non-entity"}'),
        ("propose", '{"1": "person", "2": "Non-entity", "more": [{"text": "Lagos", "type": "location"}]}'),
    ],
)
def test_a_packed_question_is_answered_with_structured_outputs(form: FormName, reply: str) -> None:
    with replaying(REPLIES, Behaviour()) as url, client(url) as llm:
        assert llm.ask(_packed(form)).text == reply


def test_an_endpoint_without_structured_outputs_is_asked_for_text_from_then_on() -> None:
    with replaying(REPLIES, Behaviour(refuse_schemas=True)) as url, client(url) as llm:
        with pytest.raises(UnavailableError, match="refused a request with a JSON schema") as caught:
            llm.ask(_packed("packed"))
        assert caught.value.retry_after_s == 0.0
        for _ in range(3):
            assert llm.ask(_packed("packed")).text == '{"1": "person", "2": "Non-entity"}'
        ledger = json.loads(urlopen(url.removesuffix("/v1") + "/ledger").read())
    assert (ledger["calls"], ledger["refused"]) == (4, 1)
