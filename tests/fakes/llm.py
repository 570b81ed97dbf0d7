"""The LLM without an endpoint."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from linkner.classification import Prompt
from linkner.errors import RejectedError, ServiceError
from workers.handlers.budget import Tariff
from workers.ports import Call, Llm, Reply


@dataclass
class FakeLlm:
    """ports.Llm: `answer` maps a prompt to the reply's text, None being refused.

    Each of `failures` is raised first, one a call. `asked` holds the prompts of all calls.
    """

    answer: Callable[[Prompt], str | None]
    failures: deque[ServiceError] = field(default_factory=deque)
    model: str = "fake-llm"
    asked: list[Prompt] = field(default_factory=list)

    def ask(self, prompt: Prompt) -> Reply:
        self.asked.append(prompt)
        if self.failures:
            raise self.failures.popleft()
        text = self.answer(prompt)
        if text is None:
            raise RejectedError("the fake LLM has no answer to this prompt")
        return Reply(
            text=text,
            model=self.model,
            prompt_tokens=-(-len(prompt.system + prompt.user) // 4),
            completion_tokens=-(-len(text) // 4),
            replayed=True,
        )


FREE = Tariff(endpoint="http://here/v1", model="fake-llm", price=None)


@dataclass
class FreeLlms:
    """ports.Llms: one endpoint, without limits."""

    llm: Llm
    tariff: Tariff = FREE

    def ask(self, prompt: Prompt) -> tuple[Reply, Call]:
        reply = self.llm.ask(prompt)
        return reply, self.tariff.call(reply)
