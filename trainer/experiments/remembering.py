"""A judge that asks another about each span once, however often an experiment comes back to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from linkner.spans import Span
from trainer.evaluation.linked import Asked, Judge, Verdict

_CHUNK = 64  # documents between two reports of progress


class RememberingJudge:
    """Asks `judge` about the spans that it was not asked about before, and remembers the answers.

    Each span is a question of its own, so that an answer holds whatever else is asked of its document: over
    ten thresholds an LLM is paid once. The verdicts count only what was asked anew; `told` hears
    (documents done, documents to do).
    """

    def __init__(self, judge: Judge, *, told: Callable[[int, int], None] = lambda *_: None) -> None:
        self._judge = judge
        self._told = told
        self._answers: dict[tuple[int, Span], str | None] = {}
        self._replayed: set[int] = set()

    @property
    def name(self) -> str:
        """The LLM's name."""
        return self._judge.name

    def classify(self, documents: Mapping[int, Asked]) -> Mapping[int, Verdict]:
        """See `trainer.evaluation.linked.Judge`."""
        asked = self._ask({index: new for index, one in documents.items() if (new := self._new(index, one))})
        return {index: self._verdict(index, one, asked.get(index)) for index, one in documents.items()}

    def _new(self, index: int, asked: Asked) -> Asked | None:
        """What of it was not asked before, if anything."""
        spans = tuple(span for span in asked.candidates if (index, span) not in self._answers)
        return Asked(asked.sentence, spans) if spans else None

    def _ask(self, documents: Mapping[int, Asked]) -> dict[int, Verdict]:
        verdicts: dict[int, Verdict] = {}
        rest = iter(documents.items())
        while chunk := dict(islice(rest, _CHUNK)):
            verdicts.update(self._judge.classify(chunk))
            self._told(len(verdicts), len(documents))
        for index, verdict in verdicts.items():
            for span in documents[index].candidates:
                self._answers[index, span] = verdict.labels.get(span)
            if verdict.replayed:
                self._replayed.add(index)
        return verdicts

    def _verdict(self, index: int, asked: Asked, new: Verdict | None) -> Verdict:
        answers = {span: self._answers[index, span] for span in asked.candidates}
        return Verdict(
            labels={span: label for span, label in answers.items() if label is not None},
            questions=new.questions if new else 0,
            prompt_tokens=new.prompt_tokens if new else 0,
            completion_tokens=new.completion_tokens if new else 0,
            replayed=index in self._replayed,
        )
