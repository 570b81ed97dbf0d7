"""From the options of `linkner experiments` to a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from linkner.classification import Form
from linkner.detection import EPSILON, MAX_CANDIDATES
from linkner.errors import ConfigurationError, InputError
from linkner.held_out import HeldOut
from linkner.labels import label_set, read_descriptions
from workers.cli.model.judging import JudgeOptions
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from linkner.classification import Example
    from linkner.conll import Sentence
    from linkner.labels import LabelSet
    from linkner.recognition.recogniser import Recogniser
    from linkner.recognition.uncertainty import Method
    from trainer.evaluation.judges import Judge
    from trainer.evaluation.linked import ProtocolName
    from trainer.evaluation.local import Recognised
    from trainer.experiments.in_context import Variants
    from trainer.experiments.registry import DataFile
    from trainer.experiments.study import Run, Study
    from trainer.experiments.threshold import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShot:
    """Few-shot examples to draw: the file, how many of each label, and the seed.

    `drawn` has those of each label set by its name.
    """

    path: Path | None
    shots: int
    seed: int
    drawn: dict[str, tuple[Example, ...]] = field(default_factory=dict, init=False, compare=False)

    def draw(self, labels: LabelSet, *, evaluated: HeldOut) -> None:
        """Draw the examples, of sentences that are not evaluated: those would give their answers away.

        Raises ConfigurationError without a file, and what reading and drawing do.
        """
        from linkner.classification.few_shot import draw_examples
        from trainer.experiments.registry import find

        if self.path is None:
            raise ConfigurationError(
                "there is nothing to draw few-shot examples from", expected="--examples FILE.conll"
            )
        sentences = [one for one in find(self.path, split="train").read() if not evaluated.is_in(one.words)]
        if not sentences:
            raise InputError(
                f"all sentences of {self.path} are evaluated", expected="--examples of training data"
            )
        self.drawn[labels.name] = draw_examples(sentences, labels.labels, shots=self.shots, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """How the local model is linked to the LLM that `judging` names.

    `thresholds` are those to link at, where an experiment does not find them itself.

    Raises:
        ConfigurationError: no LLM is named.
    """

    judging: JudgeOptions
    protocols: Sequence[ProtocolName]
    epsilon: float = EPSILON
    max_candidates: int = MAX_CANDIDATES
    descriptions: Path | None = None
    thresholds: Thresholds | None = None

    def __post_init__(self) -> None:
        if not self.judging.replies and not self.judging.llm:
            raise ConfigurationError(
                "this experiment needs an LLM's answers",
                expected="--replies FILE for each --data, or --llm URL and --llm-model NAME",
            )

    @property
    def llm(self) -> str:
        """Where answers come from, for people."""
        if self.judging.llm:
            return f"{self.judging.llm_model} at {self.judging.llm}"
        return f"recorded replies of {', '.join(dict.fromkeys(path.name for path in self.judging.replies))}"

    def labels(self, name: str) -> LabelSet:
        """The label set of that name, as questions describe it."""
        return label_set(
            name, descriptions=read_descriptions(self.descriptions) if self.descriptions else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the options ask for. A model of None is the default one, an uncertainty of None the model's own.

    `few_shot` are the examples that some of the questions show.

    Raises:
        ConfigurationError: there is not one file of replies for each data file.
    """

    data: Sequence[DataFile]
    models: Sequence[Path | None]
    uncertainties: Sequence[Method | None]
    device: str | None
    link: LinkRequest | None = None
    few_shot: FewShot | None = None

    def __post_init__(self) -> None:
        if self.link is not None:
            self.link.judging.check_paired(len(self.data))

    def study(self, bench: Bench) -> Study:
        """Every data file recognised by every model of its label set, with its judge.

        Raises:
            ConfigurationError: an option does not fit the model or the machine.
            InputError: a file or its replies cannot be used, or no model has a file's label set.
        """
        from linkner.recognition.recogniser import Recogniser
        from trainer.experiments.study import Study

        recognisers = [
            Recogniser.from_pretrained(model, device=self.device, uncertainty=method)
            for model in self.models
            for method in self.uncertainties
        ]
        readers = [_of_label_set(file, recognisers) for file in self.data]
        self._prepare(readers)
        runs = [
            run
            for place, (file, chosen) in enumerate(zip(self.data, readers, strict=True))
            for run in self._runs(place, file, chosen, bench)
        ]
        if self.link is None:
            return Study(runs=runs)
        return Study(
            runs=runs,
            protocols=self.link.protocols,
            llm=self.link.llm,
            epsilon=self.link.epsilon,
            max_candidates=self.link.max_candidates,
        )

    def _prepare(self, readers: Sequence[Sequence[Recogniser]]) -> None:
        """Find out what is missing, before it is worked on for minutes and an LLM is paid."""
        from trainer.experiments.study import Subject

        # Without examples to draw, nobody asks what is evaluated.
        evaluated = HeldOut(one.words for file in self.data if self.few_shot for one in file.read())
        known: set[Subject] = set()
        for file, chosen in zip(self.data, readers, strict=True):
            for recogniser in chosen:
                subject = Subject(model=recogniser.name, method=recogniser.config.uncertainty, data=file)
                if subject in known:  # it would count as a run of its own
                    raise ConfigurationError(
                        "a model or a data file is named twice", expected="each once", got=subject.title
                    )
                known.add(subject)
                if self.link is not None and self.link.thresholds is not None:
                    for protocol in self.link.protocols:
                        self.link.thresholds.of(subject, protocol)
                if self.few_shot is not None and recogniser.label_set not in self.few_shot.drawn:
                    self.few_shot.draw(label_set(recogniser.label_set), evaluated=evaluated)

    def _runs(
        self, place: int, file: DataFile, recognisers: Sequence[Recogniser], bench: Bench
    ) -> Iterator[Run]:
        """The runs of these recognisers on one file; those of one label set share their judge."""
        from linkner.recognition.uncertainty import largest
        from trainer.datasets import check_labels
        from trainer.experiments.study import Run

        sentences = file.read()
        judges: dict[str, Judge | None] = {}
        for recogniser in recognisers:
            config = recogniser.config
            check_labels(sentences, path=file.path, labels=recogniser.labels)
            labels = self.link.labels(config.label_set) if self.link else label_set(config.label_set)
            if labels.name not in judges:
                judges[labels.name] = self.judge(place, sentences, labels, bench) if self.link else None
            yield Run(
                model=recogniser.name,
                method=config.uncertainty,
                largest=largest(config.uncertainty, classes=config.classes),
                data=file,
                recognised=bench.recognise(recogniser, sentences, title=file.title),
                labels=labels,
                judge=judges[labels.name],
            )

    def judge(
        self,
        place: int,
        sentences: Sequence[Sentence],
        labels: LabelSet,
        bench: Bench,
        *,
        form: Form | None = None,
    ) -> Judge:
        """The judge of the data file at this place among all, who is asked about each span by itself."""
        assert self.link is not None, "an experiment without an LLM has no judge"
        judging = self.link.judging
        options = replace(judging, replies=judging.replies[place : place + 1], form=form or Form())
        opened = options.judges({self.data[place].title: sentences}, labels, bench.steps)
        (judge,) = bench.stack.enter_context(opened)
        assert judge is not None
        return judge

    def variants(self, bench: Bench) -> Variants:
        """Makes the judges of Table 4, with and without the examples and label descriptions.

        Protocols and runs on one file share theirs, which remembers what it answered.
        """
        assert self.few_shot is not None, "one of them shows examples"
        drawn = self.few_shot.drawn
        judges: dict[tuple[int, str, Form], Judge] = {}

        def variant(run: Run, shown: bool, described: bool) -> Judge:
            form = Form(described=described, examples=drawn[run.labels.name] if shown else ())
            place = self.data.index(run.data)
            key = (place, run.labels.name, form)
            if key not in judges:
                judges[key] = self.judge(place, run.sentences, run.labels, bench, form=form)
            return judges[key]

        return variant


@dataclass(frozen=True, slots=True)
class Bench:
    """What an experiment uses while it runs: progress, and a stack that closes what it opened."""

    steps: Steps
    stack: ExitStack

    def recognise(self, recogniser: Recogniser, sentences: Sequence[Sentence], *, title: str) -> Recognised:
        """The sentences recognised, as a step."""
        from trainer.evaluation.local import recognise

        step = f"{title}, {recogniser.config.uncertainty}"
        self.steps.expect(step, len(sentences))
        return recognise(recogniser, sentences, told=partial(self.steps.at, step))


@contextmanager
def bench(*, quiet: bool) -> Iterator[Bench]:
    """A bench, cleared up at the end."""
    with Steps(quiet=quiet) as steps, ExitStack() as stack:
        yield Bench(steps, stack)


def _of_label_set(file: DataFile, recognisers: Sequence[Recogniser]) -> list[Recogniser]:
    """Those that have the file's label set; all where it is of no known data set."""
    if file.data_set is None:
        return list(recognisers)
    wanted = file.data_set.labels.name
    found = [one for one in recognisers if one.label_set == wanted]
    if not found:
        raise InputError(
            f"no model has the labels of {file.title}",
            expected=f"a model trained on the label set {wanted}",
            got=", ".join(f"{one.name} ({one.label_set})" for one in recognisers),
            hint="name one with --model",
        )
    return found
