"""Hostile requests at the gateway: by its own OpenAPI description, and as bytes. None is a 5xx.

LINKNER_FUZZ_EXAMPLES makes it a long run: so many requests a route, and as many bodies of bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from broker.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from workers.bootstrap import limits
from workers.gateway.app import create_app

EXAMPLES = int(os.environ.get("LINKNER_FUZZ_EXAMPLES", "25"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=list(HealthCheck),
    database=None,
)


class Forgetful(FakeStore):
    """Keeps no more than some documents, so that a long run tests the gateway's memory and not its own."""

    def accept(self, documents: Any) -> Any:
        if len(self._documents) > 100:
            self.__init__(self._clock)  # type: ignore[misc]
        return super().accept(documents)


def gateway() -> Any:
    store = Forgetful(FakeClock())
    options = Settings(max_text_chars=200, max_items=20, max_body_bytes=20_000)
    return create_app(
        store=store,
        reader=store,
        settings=options,
        limits=limits(options),
        queues=None,
        keys=None,
        clock=FakeClock(),
    )


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def as_lines(_: Any, value: Any) -> bytes:
    return str(value).encode("utf-8", "replace")


APP = gateway()
schema = schemathesis.openapi.from_dict(APP.openapi())
schema.app = APP


@schema.parametrize()
@FUZZ
def test_requests_by_the_description(case: Any) -> None:
    response = case.call(base_url="http://localhost")
    case.validate_response(response, checks=CHECKS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
post_likes = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.text(min_size=1)
        for name in (
            "source",
            "external_id",
            "id",
            "text",
            "created_at",
            "author",
            "metadata",
            "lane",
            "deadline_s",
        )
    },
)
bodies = (
    st.binary(max_size=300)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.lists(post_likes, max_size=25).map(lambda posts: json.dumps(posts).encode())
    | st.lists(post_likes, max_size=25).map(lambda posts: "\n".join(map(json.dumps, posts)).encode())
    | st.integers(1, 5_000).map(lambda depth: b"[" * depth)
)
content_types = st.sampled_from(
    [
        "application/json",
        "application/x-ndjson",
        "application/jsonl",
        "application/json; charset=utf-16",
        "text/x",
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(APP, base_url="http://localhost", raise_server_exceptions=False)


def test_bodies_of_bytes(client: TestClient) -> None:
    @FUZZ
    @given(bodies, content_types)
    def submitted(body: bytes, content_type: str) -> None:
        answer = client.post("/v1/documents", content=body, headers={"content-type": content_type})
        assert answer.status_code in {202, 400, 413, 415}, answer.text
        assert isinstance(answer.json(), dict)

    @FUZZ
    @given(bodies, content_types)
    def generated(body: bytes, content_type: str) -> None:
        """Hypothesis itself takes 70 MB for each thousand; the bound below is on what the gateway adds."""

    alone_mb = peak_mb(generated)
    added_mb = peak_mb(submitted) - alone_mb
    assert added_mb < 100, f"{added_mb:.0f} MB for {EXAMPLES} bodies"


def peak_mb(run: Callable[[], None]) -> float:
    """How far the memory of this process went above what it was before, in MB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _kilobytes("VmRSS")
    run()
    return (_kilobytes("VmHWM") - before) / 1024


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1])


def test_paths_and_queries_of_bytes(client: TestClient) -> None:
    @FUZZ
    @given(st.text(max_size=50), st.text(max_size=50))
    def asked(one: str, two: str) -> None:
        for answer in (
            client.get(
                "/v1/documents", params={"source": one.encode("utf-8", "replace"), "external_id": two}
            ),
            client.get("/v1/feed", params={"after": one.encode("utf-8", "replace"), "limit": two}),
        ):
            assert answer.status_code < 500, answer.text

    asked()
