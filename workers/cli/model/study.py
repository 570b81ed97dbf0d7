"""From the options of `linkner experiments` to a study, and from its result to files and the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from linkner.errors import ConfigurationError
from linkner.labels import label_set, read_descriptions
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from linkner.classification import Example
    from linkner.conll import Sentence
    from linkner.labels import LabelSet
    from linkner.recognition.recogniser import Recogniser
    from linkner.recognition.uncertainty import Method
    from trainer.evaluation.linked import Judge, ProtocolName
    from trainer.evaluation.local import Recognised
    from trainer.experiments.in_context import Variants
    from trainer.experiments.registry import DataFile
    from trainer.experiments.rendering import Figure, Table
    from trainer.experiments.study import Run, Study

_WIDTH = 120  # of tables that are no terminal's


@dataclass(frozen=True, slots=True, kw_only=True)
class Llm:
    """The LLM that the options name: recorded replies, one file for each data file, or an endpoint."""

    replies: Sequence[Path] = ()
    url: str | None = None
    model: str | None = None

    def check(self, *, files: int) -> None:
        """Raises ConfigurationError unless one LLM is named, and for all of the data files."""
        expected = "--replies FILE for each --data, or --llm URL and --llm-model NAME"
        if bool(self.replies) == (self.url is not None):
            problem = "two LLMs are named" if self.replies else "this experiment needs an LLM's answers"
            raise ConfigurationError(problem, expected=expected)
        if self.url is not None and not self.model:
            raise ConfigurationError("no model is named for the endpoint", expected=expected)
        if self.replies and len(self.replies) != files:
            raise ConfigurationError(
                "the replies do not pair up with the data",
                expected=f"{files} of --replies, in the order of --data",
                got=str(len(self.replies)),
            )

    @property
    def words(self) -> str:
        """Where answers come from, for people."""
        if self.url is not None:
            return f"{self.model} at {self.url}"
        names = ", ".join(dict.fromkeys(path.name for path in self.replies))
        return f"recorded replies of {names}"

    def judge(
        self,
        place: int,
        sentences: Sequence[Sentence],
        labels: LabelSet,
        *,
        steps: Steps,
        examples: Sequence[Example] = (),
    ) -> Judge:
        """The judge of the data file at this place among the files."""
        from linkner.replies import read_sentence_replies
        from trainer.evaluation.linked import ReplayJudge
        from trainer.experiments.remembering import RememberingJudge
        from workers.cli.model.live_judge import LiveJudge

        if self.url is None:
            words = [sentence.words for sentence in sentences]
            return ReplayJudge(read_sentence_replies(self.replies[place], words), labels)
        assert self.model is not None
        live = LiveJudge(name=self.model, base_url=self.url, label_set=labels, examples=examples)
        return RememberingJudge(live, told=lambda done, total: steps.show("asking", done, total))


@dataclass(frozen=True, slots=True)
class FewShot:
    """Few-shot examples to draw: the file, how many of each label, and the seed."""

    path: Path | None
    shots: int
    seed: int

    def draw(self, labels: LabelSet) -> tuple[Example, ...]:
        """The examples. Raises ConfigurationError without a file, and what reading and drawing do."""
        from trainer.experiments.few_shot import draw_examples
        from trainer.experiments.registry import find

        if self.path is None:
            raise ConfigurationError(
                "there is nothing to draw few-shot examples from", expected="--examples FILE.conll"
            )
        sentences = find(self.path, split="train").read()
        return draw_examples(sentences, labels.labels, shots=self.shots, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the options ask for. Without models the default one is taken, without uncertainties its own."""

    data: Sequence[DataFile]
    models: Sequence[Path | None]
    uncertainties: Sequence[Method | None]
    device: str | None
    llm: Llm | None = None
    protocols: Sequence[ProtocolName] = ()
    epsilon: float = 0.3
    max_questions: int = 8
    descriptions: Path | None = None

    def study(self, steps: Steps) -> Study:
        """Recognise every file with every model, and find the LLM."""
        from trainer.experiments.study import Study

        if self.llm is not None:
            self.llm.check(files=len(self.data))
        sentences = [file.read() for file in self.data]
        runs = [
            self._run(model, method, place, sentences[place], steps)
            for place in range(len(self.data))
            for model in self.models
            for method in self.uncertainties
        ]
        return Study(
            runs=runs,
            protocols=self.protocols,
            llm=self.llm.words if self.llm else "",
            epsilon=self.epsilon,
            max_questions=self.max_questions,
        )

    def variants(self, few_shot: FewShot, steps: Steps) -> Variants:
        """Makes the judges of Table 4: with and without examples and label descriptions."""
        from trainer.experiments.in_context import undescribed

        llm = self.llm
        assert llm is not None

        def judge(run: Run, shown: bool, described: bool) -> Judge:
            labels = run.labels if described else undescribed(run.labels)
            examples = few_shot.draw(run.labels) if shown else ()
            return llm.judge(self.data.index(run.data), run.sentences, labels, steps=steps, examples=examples)

        return judge

    def _run(
        self,
        model: Path | None,
        method: Method | None,
        place: int,
        sentences: Sequence[Sentence],
        steps: Steps,
    ) -> Run:
        from linkner.recognition.recogniser import Recogniser
        from linkner.recognition.uncertainty import largest
        from trainer.experiments.study import Run

        recogniser = Recogniser.from_pretrained(model, device=self.device, uncertainty=method)
        config = recogniser.config
        descriptions = read_descriptions(self.descriptions) if self.descriptions else None
        labels = label_set(recogniser.label_set, descriptions=descriptions)
        return Run(
            model=recogniser.name,
            method=config.uncertainty,
            largest=largest(config.uncertainty, classes=config.classes),
            data=self.data[place],
            recognised=_recognise(recogniser, sentences, self.data[place], steps),
            labels=labels,
            judge=self.llm.judge(place, sentences, labels, steps=steps) if self.llm else None,
        )


def _recognise(
    recogniser: Recogniser, sentences: Sequence[Sentence], file: DataFile, steps: Steps
) -> Recognised:
    from trainer.evaluation.local import recognise

    step = f"{file.title}, {recogniser.config.uncertainty}"
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        steps.show(step, done, len(sentences))

    return recognise(recogniser, sentences, report=report)


def deliver(result: Table | Figure, *, output: Path | None, as_json: bool) -> None:
    """Write the result's files and print it.

    A table's files, Markdown and JSON, are written where a folder is named; a figure's, PNG and JSON, always:
    by default into the current folder.

    Raises:
        ConfigurationError: the folder cannot be written to.
    """
    from trainer.experiments.drawing import draw
    from trainer.experiments.rendering import Figure

    folder = output or (Path() if isinstance(result, Figure) else None)
    value = result.to_json()
    written = []
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            picture = folder / f"{result.name}.{'png' if isinstance(result, Figure) else 'md'}"
            if isinstance(result, Figure):
                draw(result, picture)
            else:
                picture.write_text(result.to_markdown(), encoding="utf-8")
            numbers = folder / f"{result.name}.json"
            numbers.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot write to {folder}", got=error.strerror or str(error)) from error
        written = [picture, numbers]
    if as_json:
        typer.echo(json.dumps({**value, "files": [str(path) for path in written]}, ensure_ascii=False))
        return
    if not isinstance(result, Figure):
        console = Console()
        console.print(result.to_text(), width=None if console.is_terminal else _WIDTH)
    for path in written:
        typer.echo(f"written: {path}")
