"""ports.BatchLlm over the replaying endpoint: every prompt's reply, whatever became of the batch."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from linkner.classification import NON_ENTITY, Prompt, ask_about
from linkner.errors import ConfigurationError, RejectedError, UnavailableError
from linkner.labels import label_set
from linkner.spans import Span
from tests.contract.test_simulate_batches import POST, simulating
from workers.batch_client import OpenAiBatches
from workers.ports import Reply
from workers.simulate_llm.behaviour import Behaviour


def prompt(start: int, end: int, text: str = POST) -> Prompt:
    return ask_about(text, Span(start, end), label_set("wnut17"))


def client_of(base_url: str) -> OpenAiBatches:
    return OpenAiBatches(base_url=base_url, api_key="", model="some-model", timeout_s=5.0)


@pytest.fixture(scope="module")
def batches() -> Iterator[OpenAiBatches]:
    with simulating(Behaviour()) as simulated:
        yield client_of(str(simulated.base_url))


def test_every_prompt_has_its_result(batches: OpenAiBatches) -> None:
    asked = {"person": prompt(0, 11), "none": prompt(12, 17), "unknown": prompt(0, 7, "unknown post")}
    batch_id = batches.submit("first", asked)
    state = batches.state(batch_id)
    assert (state.ended, state.error) == (True, None)
    results = batches.results(batch_id)
    assert results.keys() == asked.keys()
    person = results["person"]
    assert isinstance(person, Reply)
    assert (person.text, person.model, person.replayed) == ("person", "some-model", True)
    assert person.prompt_tokens > 0
    assert isinstance(results["none"], Reply)
    assert results["none"].text == NON_ENTITY
    assert isinstance(results["unknown"], RejectedError)


def test_a_batch_is_found_by_its_name(batches: OpenAiBatches) -> None:
    made = {name: batches.submit(name, {"a": prompt(0, 11)}) for name in ("wanted", "another")}
    assert batches.find("wanted") == made["wanted"]
    assert batches.find("nobody") is None


def test_discarding_leaves_no_files(batches: OpenAiBatches) -> None:
    batch_id = batches.submit("gone", {"a": prompt(0, 11)})
    batches.state(batch_id)
    batches.discard(batch_id)
    batches.discard(batch_id)
    with pytest.raises(UnavailableError):
        batches.results(batch_id)


def test_what_was_not_done_in_time_may_be_asked_again() -> None:
    with simulating(Behaviour(batch_expire_rate=1.0)) as simulated:
        batches = client_of(str(simulated.base_url))
        batch_id = batches.submit("late", {"a": prompt(0, 11)})
        state = batches.state(batch_id)
        assert (state.ended, state.error) == (True, "expired")
        error = batches.results(batch_id)["a"]
        assert isinstance(error, UnavailableError)
        assert "batch_expired" in str(error)


def test_a_batch_that_is_not_done_has_not_ended() -> None:
    with simulating(Behaviour(batch_s=60.0)) as simulated:
        batches = client_of(str(simulated.base_url))
        assert not batches.state(batches.submit("slow", {"a": prompt(0, 11)})).ended


def test_discarding_calls_off_what_still_runs() -> None:
    with simulating(Behaviour(batch_s=60.0)) as simulated:
        batches = client_of(str(simulated.base_url))
        batch_id = batches.submit("slow", {"a": prompt(0, 11)})
        batches.discard(batch_id)
        state = batches.state(batch_id)
        assert (state.ended, state.error) == (True, "cancelled")


def test_a_batch_that_failed_says_why(batches: OpenAiBatches) -> None:
    batch_id = batches.submit("empty", {})
    state = batches.state(batch_id)
    assert state.ended
    assert state.error is not None
    assert state.error.startswith("failed: an empty batch")
    assert batches.results(batch_id) == {}


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError, match="reached"):
        client_of(f"http://127.0.0.1:{port}/v1").find("first")


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="URL"):
        client_of("ftp://somewhere")
