"""What is learnt of an endpoint from calls with and without a JSON schema."""

from __future__ import annotations

import pytest

from linkner.classification import Prompt
from linkner.errors import RejectedError, ServiceError, UnavailableError
from workers.structured_outputs import StructuredOutputs

PACKED = Prompt("system", "user", 10, "v", schema={"type": "object"})
PLAIN = Prompt("system", "user", 10, "v")
REFUSED = RejectedError("no", got="HTTP 400")
AWAY = UnavailableError("away")


class Endpoint:
    """Answers calls or fails at them, and shows what was sent."""

    def __init__(self) -> None:
        self.outputs = StructuredOutputs()

    def call(self, prompt: Prompt, error: ServiceError | None = None) -> tuple[bool, ServiceError | None]:
        """Whether a schema was sent, and what is raised."""
        sent = self.outputs.fields(prompt)
        raised = self.outputs.failed(prompt, sent, error) if error else None
        if error is None:
            self.outputs.answered(prompt, sent)
        return bool(sent), raised


def test_a_schema_is_sent_as_the_endpoints_want_it() -> None:
    assert StructuredOutputs().fields(PACKED)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
    }
    assert StructuredOutputs().fields(PLAIN) == {}


def test_an_endpoint_that_refuses_schemas_is_asked_without_from_then_on() -> None:
    endpoint = Endpoint()
    sent, raised = endpoint.call(PACKED, REFUSED)
    assert sent
    assert isinstance(raised, UnavailableError)
    assert raised.retry_after_s == 0.0
    assert endpoint.call(PACKED) == (False, None)
    assert endpoint.call(PACKED) == (False, None)
    assert endpoint.call(PACKED, REFUSED) == (False, REFUSED)
    assert endpoint.call(PACKED) == (False, None)


def test_a_refused_call_that_was_under_way_changes_nothing_of_what_is_known() -> None:
    endpoint = Endpoint()
    late = endpoint.outputs.fields(PACKED)
    endpoint.call(PACKED, REFUSED)
    endpoint.call(PACKED)
    raised = endpoint.outputs.failed(PACKED, late, REFUSED)
    assert isinstance(raised, UnavailableError)
    assert endpoint.call(PACKED) == (False, None)


def test_a_request_that_is_refused_without_its_schema_too_was_itself_at_fault() -> None:
    endpoint = Endpoint()
    endpoint.call(PACKED, REFUSED)
    assert endpoint.call(PACKED, REFUSED) == (False, REFUSED)
    assert endpoint.call(PACKED) == (True, None)


def test_an_endpoint_that_took_a_schema_refuses_the_request() -> None:
    endpoint = Endpoint()
    assert endpoint.call(PACKED) == (True, None)
    assert endpoint.call(PACKED, REFUSED) == (True, REFUSED)
    assert endpoint.call(PACKED) == (True, None)


@pytest.mark.parametrize(("prompt", "error"), [(PACKED, AWAY), (PLAIN, REFUSED), (PLAIN, AWAY)])
def test_other_failures_say_nothing_of_schemas(prompt: Prompt, error: ServiceError) -> None:
    endpoint = Endpoint()
    assert endpoint.call(prompt, error)[1] is error
    assert endpoint.call(PACKED) == (True, None)
