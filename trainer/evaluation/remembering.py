"""A judge that asks another each question once, however often a measurement comes back to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from linkner.classification import Form
from linkner.spans import LabelledSpan, Span
from trainer.evaluation.judges import NOTHING, Asked, Judge, Verdict


@dataclass(frozen=True, slots=True)
class RememberingJudge:
    """Asks `judge` what it was not asked before, and remembers the verdicts: an LLM is paid once.

    In the form `per-span` an answer holds whatever else is asked of its sentence, so each span is remembered
    by itself; in other forms all candidates of a sentence are, together. A verdict counts what it took each
    time that it is given: a budget costs the same whether or not another one has paid for it.
    """

    judge: Judge
    form: Form = field(default_factory=Form)
    _said: dict[tuple[int, tuple[Span, ...]], Verdict] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

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
        parts = [part for one in asked for part in self._parts(one)]
        new = {key: part for part in parts if (key := (part.index, part.candidates)) not in self._said}
        if new:
            self._said.update(zip(new, self.judge.classify([*new.values()]), strict=True))
        return [self._verdict(one) for one in asked]

    def _parts(self, asked: Asked) -> Iterator[Asked]:
        """What is asked independently of the rest."""
        if self.form.name == "per-span":
            return (replace(asked, candidates=(span,)) for span in asked.candidates)
        return iter([asked])

    def _verdict(self, asked: Asked) -> Verdict:
        said = [self._said[part.index, part.candidates] for part in self._parts(asked)]
        labels: dict[Span, str] = {}
        added: list[LabelledSpan] = []
        for one in said:
            labels |= one.labels
            added += one.proposals
        return Verdict(labels, sum((one.spent for one in said), NOTHING), tuple(added))


def in_form(judge: Judge, form: Form) -> Judge:
    """The same LLM, asked in another form; what it answered in the form before is not taken over."""
    if isinstance(judge, RememberingJudge):
        if judge.form == form:
            return judge
        return RememberingJudge(in_form(judge.judge, form), form)
    changed: Judge = replace(judge, form=form)  # type: ignore[type-var]
    return changed
