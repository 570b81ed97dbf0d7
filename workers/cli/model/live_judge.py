"""A judge for evaluations that asks a live LLM, several posts at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from linkner.classification import Form, Prompt, Question
from linkner.errors import ConfigurationError, RejectedError, UnavailableError
from linkner.labels import LabelSet
from workers.ports import Llm, Reply

if TYPE_CHECKING:
    from trainer.evaluation.judges import Asked, Verdict
    from workers.llm_client import OpenAiLlm

CONNECTIONS = 16
"""Calls to an endpoint at once."""

ATTEMPTS = 5
"""Calls after which a question that the endpoint does not answer ends the evaluation."""

TRIES = 2
"""Replies without a label after which a candidate counts as unanswered, as in the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJudge:
    """Asks an LLM about `connections` posts at once. `told` hears how many of those asked about are done.

    A question that is refused, or answered beside the label set, leaves its candidate without an answer. An
    endpoint that stays away ends the evaluation: figures with holes in them would be none.
    """

    llm: Llm
    name: str
    label_set: LabelSet
    form: Form = field(default_factory=Form)
    connections: int = CONNECTIONS
    told: Callable[[int, int], None] = lambda _done, _total: None
    sleep: Callable[[float], None] = time.sleep

    token_count = "as the endpoint counts them"

    def classify(self, asked: Sequence[Asked]) -> list[Verdict]:
        """See `trainer.evaluation.judges.Judge`.

        The first post is asked about by itself and without patience, so that a wrong URL, key or model name
        is told at once.

        Raises:
            ServiceError: that failed, or a later question was not answered in ATTEMPTS calls.
        """
        verdicts: list[Verdict] = []
        for verdict in self._verdicts(asked):
            verdicts.append(verdict)
            self.told(len(verdicts), len(asked))
        return verdicts

    def _verdicts(self, asked: Sequence[Asked]) -> Iterator[Verdict]:
        yield from (self._verdict(one, self._ask_at_once) for one in asked[:1])
        with ThreadPoolExecutor(self.connections) as pool:  # where one fails, those not begun are cancelled
            yield from pool.map(lambda one: self._verdict(one, self._ask_patiently), asked[1:])

    def _verdict(self, asked: Asked, ask: Callable[[Prompt], Reply | None]) -> Verdict:
        from trainer.evaluation.judges import Spent, verdict_on

        def replies(question: Question) -> Iterator[tuple[str, Spent]]:
            for _ in range(TRIES):
                reply = ask(question.prompt)
                if reply is None:
                    yield "", Spent(questions=1)
                    return
                tokens = reply.prompt_tokens, reply.completion_tokens
                yield reply.text, Spent(1, int(reply.replayed), *tokens)

        return verdict_on(asked, form=self.form, label_set=self.label_set, replies=replies)

    def _ask_at_once(self, prompt: Prompt) -> Reply:
        """The reply; asked for once more where the endpoint turns out to take no JSON schema."""
        try:
            return self.llm.ask(prompt)
        except UnavailableError as error:
            if error.retry_after_s != 0:
                raise
        return self.llm.ask(prompt)

    def _ask_patiently(self, prompt: Prompt, attempts: int = ATTEMPTS) -> Reply | None:
        """The reply; None where the endpoint refuses this question for good."""
        try:
            return self.llm.ask(prompt)
        except RejectedError:
            return None
        except UnavailableError as error:
            if attempts == 1:
                raise
            self.sleep(error.retry_after_s or 2.0 ** (ATTEMPTS - attempts))
        return self._ask_patiently(prompt, attempts - 1)


def endpoint(url: str, *, model: str, connections: int = CONNECTIONS, deadline_s: float = 60.0) -> OpenAiLlm:
    """The model of an OpenAI-compatible endpoint, with the key in OPENAI_API_KEY.

    Raises:
        ConfigurationError: the URL or the key cannot be used, or the LLM client is not installed: an image of
            the trainer alone measures by replay.
    """
    try:
        from workers.llm_client import OpenAiLlm
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "no LLM can be asked from here",
            got=f"there is no package {error.name}",
            hint="install linkner[workers] beside linkner[trainer], or give --replies",
        ) from error

    return OpenAiLlm(
        base_url=url,
        api_key=os.environ.get("OPENAI_API_KEY", ""),
        model=model,
        deadline_s=deadline_s,
        connections=connections,
    )
