"""What an experiment works on: models on labelled files, recognised once, and the LLM they are linked to."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from linkner.conll import Sentence
from linkner.detection import EPSILON, MAX_CANDIDATES, Detector
from linkner.labels import LabelSet
from linkner.recognition.uncertainty import Method
from linkner.scoring import score
from linkner.spans import Entity
from trainer.evaluation.judges import Judge, ReplayJudge
from trainer.evaluation.linked import Linked, ProtocolName, link_all, unlinked
from trainer.evaluation.local import Recognised
from trainer.evaluation.metrics import Interval, by_uncertainty
from trainer.experiments.registry import DataFile
from trainer.experiments.reported import Reported, reported

WIDTH = 0.1
"""Of an interval of u, and between two thresholds, as in the paper's figures."""

_PROTOCOLS: dict[ProtocolName, str] = {
    "paper": "Protocol `paper`: the LLM is asked about predicted entities with u > τ and, as in the paper, "
    "about gold spans labelled O with u > τ. No stream knows these: compare with the paper only.",
    "deployed": "Protocol `deployed`: no gold is looked at. The LLM is asked about predicted entities with "
    "u > τ and O spans with an entity probability above ε = {epsilon:g}, at most {max_candidates} a post.",
}

_REPLAYED = " These answers were recorded earlier and are replayed: no LLM was asked for these figures."

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One model, read by one uncertainty, and the labelled file that it is put to."""

    model: str
    method: Method
    data: DataFile

    @property
    def data_set(self) -> str | None:
        """The name of the data set, where it is known."""
        return self.data.data_set.name if self.data.data_set else None

    @property
    def title(self) -> str:
        """Data, model and uncertainty in one line."""
        return f"{self.data.title}: {self.model} ({self.method})"

    @property
    def reported(self) -> Reported:
        """What the paper reports of the same uncertainty on the same data set."""
        return reported(self.data_set, self.method)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Subject):
    """A subject, and what the model said of the file.

    `largest` is the largest u that the method can give, `labels` the label set of model and questions.
    `judge` is None where no LLM takes part.
    """

    largest: float
    recognised: Recognised
    labels: LabelSet
    judge: Judge | None = None

    @property
    def recipe(self) -> str:
        """The model's name without the digest of its weights: that of all runs that differ in their seed."""
        return self.model.rpartition("-")[0] or self.model

    @property
    def sentences(self) -> Sequence[Sentence]:
        """The sentences, with their gold entities."""
        return self.recognised.sentences

    @property
    def local(self) -> Linked:
        """The local model's entities, without an LLM."""
        return unlinked(self.recognised)

    @property
    def local_f1(self) -> float:
        """F1 of the local model alone."""
        return self.f1(self.local)

    @property
    def llm_f1(self) -> float | None:
        """F1 of the LLM alone, where the entities that it named in each sentence were recorded."""
        if not isinstance(self.judge, ReplayJudge):
            return None
        gold = [sentence.entities for sentence in self.sentences]
        return score(gold, [reply.entities for reply in self.judge.replies]).micro.f1

    @property
    def top(self) -> float:
        """The end of the last interval of u."""
        return round(math.ceil(round(self.largest / WIDTH, 6)) * WIDTH, 6)

    def f1(self, linked: Linked) -> float:
        """Entity-level micro F1."""
        return linked.scores(self.sentences).micro.f1

    def intervals(self, entities: Sequence[Sequence[Entity]]) -> Sequence[Interval]:
        """Scores of the entities in intervals of the local model's u, WIDTH wide."""
        return by_uncertainty(self.recognised, entities, width=WIDTH, top=self.top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The runs of one experiment and how they are linked. `llm` says in words where answers come from."""

    runs: Sequence[Run]
    protocols: Sequence[ProtocolName] = ()
    llm: str = ""
    epsilon: float = EPSILON
    max_candidates: int = MAX_CANDIDATES
    _linked: list[Linked] = field(default_factory=list, init=False, repr=False, compare=False)

    def each(self) -> Iterator[tuple[Run, ProtocolName]]:
        """Every run under every protocol."""
        return ((run, protocol) for run in self.runs for protocol in self.protocols)

    def link(
        self, run: Run, *, protocol: ProtocolName, threshold: float, judge: Judge | None = None
    ) -> Linked:
        """The run linked at τ = `threshold`; to `judge` where it is given, else to its own."""
        chosen = judge or run.judge
        assert chosen is not None, "an experiment that links needs a judge"
        detector = Detector(threshold=threshold, epsilon=self.epsilon, max_candidates=self.max_candidates)
        linked = link_all(run.recognised, detector=detector, judge=chosen, protocol=protocol)
        self._linked.append(linked)
        return linked

    @property
    def replayed(self) -> bool:
        """Whether answers were recorded earlier, as far as is known by now, and not given for this study."""
        recorded = any(isinstance(run.judge, ReplayJudge) for run in self.runs)
        return recorded or any(linked.spent.replayed for linked in self._linked)

    def facts(self) -> dict[str, Any]:
        """What the numbers rest on, for JSON."""
        judges = [run.judge for run in self.runs if run.judge is not None]
        return {
            "models": [
                {"model": model, "uncertainty": method}
                for model, method in _once((run.model, run.method) for run in self.runs)
            ],
            "data": [
                {"title": data.title, "file": data.path.name, "sentences": sentences, "entities": entities}
                for data, sentences, entities in _once(map(_data, self.runs))
            ],
            "protocols": [*self.protocols],
            "llm": judges[0].name if judges else None,
            "replayed": self.replayed,
            "epsilon": self.epsilon if "deployed" in self.protocols else None,
        }

    def notes(self) -> list[str]:
        """The same for people, one line each."""
        methods: dict[str, list[str]] = {}
        for model, method in _once((run.model, run.method) for run in self.runs):
            methods.setdefault(model, []).append(method)
        models = (f"{model} ({', '.join(found)})" for model, found in methods.items())
        data = _once(map(_data, self.runs))
        counted = (
            f"{file.title} ({sentences:,} sentences, {entities:,} entities)"
            for file, sentences, entities in data
        )
        return [
            f"Model: {', '.join(models)}. Data: {', '.join(counted)}.",
            *(
                _PROTOCOLS[protocol].format(epsilon=self.epsilon, max_candidates=self.max_candidates)
                for protocol in self.protocols
            ),
            *([f"LLM: {self.llm}.{_REPLAYED if self.replayed else ''}"] if self.llm else []),
        ]


def _data(run: Run) -> tuple[DataFile, int, int]:
    return run.data, len(run.sentences), sum(len(sentence.entities) for sentence in run.sentences)


def _once(values: Iterator[_T]) -> list[_T]:
    """The values in their order, each once."""
    return list(dict.fromkeys(values))
