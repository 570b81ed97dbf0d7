"""A judge that asks another about each span once, however often an experiment comes back to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from linkner.classification import Form
from linkner.spans import Span
from trainer.evaluation.judges import NOTHING, Asked, Judge, Spent, Verdict


class RememberingJudge:
    """Asks `judge` about the spans that it was not asked about before, and remembers the answers.

    `judge` asks about each span by itself (the form `per-span`), so that an answer holds whatever else is
    asked of its sentence: over ten thresholds an LLM is paid once. What is spent is counted where it is.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._answers: dict[tuple[int, Span], str | None] = {}

    @property
    def name(self) -> str:
        """The LLM's name."""
        return self.judge.name

    @property
    def token_count(self) -> str:
        """See `trainer.evaluation.judges.Judge`."""
        return self.judge.token_count

    def classify(self, asked: Sequence[Asked]) -> list[Verdict]:
        """See `trainer.evaluation.judges.Judge`."""
        new = [one for one in map(self._unanswered, asked) if one.candidates]
        spent: dict[int, Spent] = {}
        for one, verdict in zip(new, self.judge.classify(new), strict=True):
            spent[one.index] = verdict.spent
            for span in one.candidates:
                self._answers[one.index, span] = verdict.labels.get(span)
        return [Verdict(self._labels(one), spent.get(one.index, NOTHING)) for one in asked]

    def _unanswered(self, asked: Asked) -> Asked:
        spans = (span for span in asked.candidates if (asked.index, span) not in self._answers)
        return Asked(asked.index, asked.sentence, tuple(spans))

    def _labels(self, asked: Asked) -> dict[Span, str]:
        answers = {span: self._answers[asked.index, span] for span in asked.candidates}
        return {span: label for span, label in answers.items() if label is not None}


def in_form(judge: Judge, form: Form) -> Judge:
    """The same LLM, asked in another form; what it answered in the form before is not taken over."""
    asking = judge.judge if isinstance(judge, RememberingJudge) else judge
    changed: Judge = replace(asking, form=form)  # type: ignore[type-var]
    remembered = isinstance(judge, RememberingJudge) and form.name == "per-span"
    return RememberingJudge(changed) if remembered else changed
