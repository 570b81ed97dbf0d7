"""Large language models: asked one by one, in batches, or all endpoints behind their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from broker.limits import NOTHING_SAID, Said
from linkner.classification import Prompt
from linkner.errors import ServiceError
from linkner.pricing import Usage
from workers.ports.ledger import Call


@dataclass(frozen=True, slots=True)
class Reply:
    """What the LLM sent back. `cached_prompt_tokens` are those that the provider's prompt cache served.

    `said` is what the response told about the endpoint's limits.
    """

    text: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    replayed: bool
    cached_prompt_tokens: int = 0
    said: Said = NOTHING_SAID

    @property
    def usage(self) -> Usage:
        """The tokens of the call."""
        return Usage(self.prompt_tokens, self.completion_tokens, cached_prompt=self.cached_prompt_tokens)


class Llm(Protocol):
    """A large language model behind an OpenAI-compatible endpoint."""

    def ask(self, prompt: Prompt) -> Reply:
        """One call within the hard deadline. Raises UnavailableError or RejectedError."""


class Llms(Protocol):
    """All endpoints that may be asked, behind their limits."""

    def ask(self, prompt: Prompt) -> tuple[Reply, Call]:
        """One call at one of them: its reply, and the call for the ledger.

        Raises as `Llm.ask` does, and BudgetSpentError.
        """


@dataclass(frozen=True, slots=True)
class BatchState:
    """Whether a batch has ended, and what kept it, or a part of it, from being answered."""

    ended: bool
    error: str | None


class BatchLlm(Protocol):
    """A large language model that answers many prompts some time later, for less money.

    Every method raises UnavailableError or RejectedError.
    """

    def submit(self, name: str, prompts: Mapping[str, Prompt]) -> str:
        """Ask for a batch of these prompts, each with an id of at most 64 characters; the batch's id."""

    def find(self, name: str) -> str | None:
        """The id of the batch that was submitted by this name, where it was."""

    def state(self, batch_id: str) -> BatchState: ...

    def results(self, batch_id: str) -> Mapping[str, Reply | ServiceError]:
        """What became of each prompt of a batch that has ended, by its id; some may be missing."""

    def discard(self, batch_id: str) -> None:
        """Have the provider forget what was sent and answered, and stop where it still answers."""
