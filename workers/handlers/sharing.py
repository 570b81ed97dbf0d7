"""One answer for all equal questions: a question's key in the answer cache, and answers to and from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from linkner.classification import Question
from linkner.repeats import Normalised, normalise, question_key
from linkner.spans import LabelledSpan, Span
from workers.ports import Answer, CachedAnswer


@dataclass(frozen=True, slots=True)
class SharedQuestion:
    """What is asked in a question, in the terms that it shares with equal ones.

    Answers travel by the candidates' order, and proposals by their place in the normalised text: each
    question puts its own offsets back.
    """

    asked: Question
    context: Normalised
    key: bytes

    @classmethod
    def of(cls, asked: Question, *, model: str) -> SharedQuestion:
        """`model` is the one that is asked, by the name that the endpoint is given."""
        context = normalise(asked.text, asked.candidates)
        key = question_key(model=model, prompt_version=asked.prompt.version, context=context)
        return cls(asked, context, key)

    def share(self, answer: Answer) -> CachedAnswer | None:
        """This question's answer, for all of its key; None where it lacks a candidate's label."""
        if any(span not in answer.labels for span in self.asked.candidates):
            return None
        return CachedAnswer(
            key=self.key,
            labels=tuple(answer.labels[span] for span in self.asked.candidates),
            model=answer.model,
            prompt_version=answer.prompt_version,
            raw=answer.raw,
            replayed=answer.replayed,
            proposals=_moved(answer.proposals, self.context.to_normalised),
        )

    def take(self, cached: CachedAnswer) -> Answer:
        """The answer of an equal question, as this one's. It cost nothing again."""
        return Answer(
            labels=dict(zip(self.asked.candidates, cached.labels, strict=True)),
            model=cached.model,
            prompt_version=cached.prompt_version,
            raw=cached.raw,
            prompt_tokens=0,
            completion_tokens=0,
            replayed=cached.replayed,
            cached=True,
            proposals=_moved(cached.proposals, self.context.to_post),
        )


def _moved(
    proposals: Iterable[LabelledSpan], place: Callable[[Span], Span | None]
) -> tuple[LabelledSpan, ...]:
    """The proposals at the places that theirs are moved to; without those that have none."""
    moved = ((place(one.span), one.label) for one in proposals)
    return tuple(LabelledSpan(span, label) for span, label in moved if span is not None)
