"""Structured outputs: a reply's JSON schema, sent to endpoints that take one.

Whether an endpoint does is found out by asking. One that refuses a request with a schema is asked again
without; if that is answered, no schema is sent from then on. If it is refused as well, the request was at
fault and nothing is known yet. One endpoint, one event loop: no locks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from linkner.classification import Prompt
from linkner.errors import RejectedError, ServiceError, UnavailableError


class StructuredOutputs:
    """What is known of one endpoint: `unknown`, `taken`, `suspected` not to be taken, or `refused`."""

    def __init__(self, *, allowed: bool = True) -> None:
        self.state: Literal["unknown", "taken", "suspected", "refused"] = "unknown" if allowed else "refused"

    def fields(self, prompt: Prompt) -> dict[str, Any]:
        """What to add to the request: `response_format`, or nothing."""
        if prompt.schema is None or self.state in ("suspected", "refused"):
            return {}
        schema = {"name": "answer", "strict": True, "schema": dict(prompt.schema)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def answered(self, prompt: Prompt, sent: Mapping[str, Any]) -> None:
        """Learn from a call that was answered."""
        if sent:
            self.state = "taken"
        elif prompt.schema is not None and self.state == "suspected":
            self.state = "refused"

    def failed(self, prompt: Prompt, sent: Mapping[str, Any], error: ServiceError) -> ServiceError:
        """Learn from a call that failed; what to raise. Where the schema may be why: to come back at once."""
        if prompt.schema is None or not isinstance(error, RejectedError):
            return error
        if sent and self.state != "taken":
            self.state = "refused" if self.state == "refused" else "suspected"
            return UnavailableError(
                "the LLM endpoint refused a request with a JSON schema",
                expected="to be asked without one",
                got=error.got,
                retry_after_s=0.0,
            )
        if not sent and self.state == "suspected":
            self.state = "unknown"
        return error
