"""The judge that a command's options name: an LLM that is called, or one that is replayed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from linkner.errors import ConfigurationError
from linkner.labels import LabelSet
from linkner.replies import read_sentence_replies
from workers.cli.model.live_judge import LiveJudge
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from linkner.conll import Sentence
    from trainer.evaluation.judges import Judge
    from workers.llm_client import OpenAiLlm


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """What a command was told of the LLM: files of recorded replies, an endpoint and its model, or neither.

    Raises:
        ConfigurationError: both are given.
    """

    replies: Sequence[Path]
    llm: str | None
    llm_model: str
    connections: int
    deadline_s: float

    def __post_init__(self) -> None:
        if self.replies and self.llm:
            raise ConfigurationError("two LLMs are named", expected="--replies or --llm, not both")

    @contextmanager
    def judges(
        self, data: Mapping[str, Sequence[Sentence]], label_set: LabelSet, steps: Steps
    ) -> Iterator[Sequence[Judge | None]]:
        """One judge for each data set by its name; None without an LLM.

        Raises:
            ConfigurationError: there is not one file of replies for each data set, or the URL or the key
                cannot be used.
            InputError: replies do not fit the data or the label set.
        """
        if self.llm:
            with closing(self._endpoint()) as llm:
                yield [
                    LiveJudge(
                        llm=llm,
                        name=self.llm_model,
                        label_set=label_set,
                        connections=self.connections,
                        told=_bar(steps, f"LLM {name}"),
                    )
                    for name in data
                ]
        elif self.replies:
            yield self._replays(data, label_set)
        else:
            yield [None] * len(data)

    def _replays(self, data: Mapping[str, Sequence[Sentence]], label_set: LabelSet) -> list[Judge]:
        from trainer.evaluation.judges import ReplayJudge

        if len(self.replies) != len(data):
            raise ConfigurationError(
                "the replies do not pair up with the data",
                expected=f"--replies once for each of {len(data)} data files, in their order",
                got=str(len(self.replies)),
            )
        return [
            ReplayJudge(read_sentence_replies(path, [one.words for one in sentences]), label_set)
            for path, sentences in zip(self.replies, data.values(), strict=True)
        ]

    def _endpoint(self) -> OpenAiLlm:
        from workers.llm_client import OpenAiLlm

        return OpenAiLlm(
            base_url=self.llm or "",
            api_key=os.environ.get("OPENAI_API_KEY", ""),
            model=self.llm_model,
            deadline_s=self.deadline_s,
            connections=self.connections,
        )


def _bar(steps: Steps, step: str) -> Callable[[int, int], None]:
    """Shows done of total as a step, which begins with the first call."""

    def told(done: int, total: int) -> None:
        if done == 1:
            steps.expect(step, total)
        steps.at(step, done)

    return told
