"""A judge for evaluations that asks a live LLM endpoint about several documents at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linkner.classification import Example, parse_answer
from linkner.labels import LabelSet

if TYPE_CHECKING:
    from trainer.evaluation.linked import Asked, Verdict
    from workers.llm_client import OpenAiLlm

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """Asks the model `name` of an OpenAI-compatible endpoint; a reply that names no label is no answer.

    `report` is told of each document that is done. Errors of the endpoint end the evaluation: a figure with
    holes in it would be no figure.
    """

    name: str
    base_url: str
    label_set: LabelSet
    examples: Sequence[Example] = ()
    deadline_s: float = 60.0
    report: Callable[[], None] = lambda: None

    def classify(self, documents: Mapping[int, Asked]) -> Mapping[int, Verdict]:
        """See `trainer.evaluation.linked.Judge`. Raises ServiceError where the endpoint fails."""
        from workers.llm_client import OpenAiLlm

        llm = OpenAiLlm(
            base_url=self.base_url,
            api_key=os.environ.get("OPENAI_API_KEY", ""),
            model=self.name,
            deadline_s=self.deadline_s,
            connections=CONNECTIONS,
        )
        with closing(llm), ThreadPoolExecutor(CONNECTIONS) as pool:
            verdicts = pool.map(lambda asked: self._verdict(llm, asked), documents.values())
            return dict(zip(documents, verdicts, strict=True))

    def _verdict(self, llm: OpenAiLlm, asked: Asked) -> Verdict:
        from trainer.evaluation.linked import Verdict

        replies = [llm.ask(prompt) for prompt in asked.prompts(self.label_set, examples=self.examples)]
        self.report()
        labels = {
            span: label
            for span, reply in zip(asked.candidates, replies, strict=True)
            if (label := parse_answer(reply.text, self.label_set)) is not None
        }
        return Verdict(
            labels=labels,
            questions=len(replies),
            prompt_tokens=sum(reply.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.completion_tokens for reply in replies),
            replayed=any(reply.replayed for reply in replies),
        )
