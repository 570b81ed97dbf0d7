"""The judge that a command's options name: an LLM that is called, or one that is replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from linkner.classification import Form
from linkner.errors import ConfigurationError
from linkner.labels import LabelSet
from linkner.replies import read_sentence_replies
from workers.cli.model.live_judge import LiveJudge, endpoint
from workers.cli.progress import Steps
from workers.ports import Llm

if TYPE_CHECKING:
    from linkner.conll import Sentence
    from trainer.evaluation.judges import Judge


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
    form: Form = field(default_factory=Form)

    def __post_init__(self) -> None:
        if self.replies and self.llm:
            raise ConfigurationError("two LLMs are named", expected="--replies or --llm, not both")

    def check_paired(self, files: int) -> None:
        """Raise ConfigurationError where replies are given, but not one file of them for each data file."""
        if self.replies and len(self.replies) != files:
            raise ConfigurationError(
                "the replies do not pair up with the data",
                expected=f"--replies once for each of {files} data files, in their order",
                got=str(len(self.replies)),
            )

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
            llm = endpoint(
                self.llm,
                model=self.llm_model,
                connections=self.connections,
                deadline_s=self.deadline_s,
            )
            with closing(llm):
                yield [self._live(llm, label_set, partial(steps.show, f"LLM {name}")) for name in data]
        elif self.replies:
            yield self._replays(data, label_set)
        else:
            yield [None] * len(data)

    def _live(self, llm: Llm, label_set: LabelSet, told: Callable[[int, int], None]) -> Judge:
        """It is paid for the same question once: budgets and thresholds have most of theirs in common."""
        from trainer.evaluation.remembering import RememberingJudge

        judge = LiveJudge(
            llm=llm,
            name=self.llm_model,
            label_set=label_set,
            form=self.form,
            connections=self.connections,
            told=told,
        )
        return RememberingJudge(judge, self.form)

    def _replays(self, data: Mapping[str, Sequence[Sentence]], label_set: LabelSet) -> list[Judge]:
        from trainer.evaluation.judges import ReplayJudge

        self.check_paired(len(data))
        return [
            ReplayJudge(read_sentence_replies(path, [one.words for one in sentences]), label_set, self.form)
            for path, sentences in zip(self.replies, data.values(), strict=True)
        ]
