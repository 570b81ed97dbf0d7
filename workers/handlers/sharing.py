"""One answer for all equal questions: a question's key in the answer cache, and answers to and from there."""

from __future__ import annotations

from dataclasses import dataclass

from linkner.classification import Prompt
from linkner.repeats import Normalised, normalise, question_key
from workers.ports import Answer, CachedAnswer, ClaimedQuestion


@dataclass(frozen=True, slots=True)
class SharedQuestion:
    """A claimed question in the terms that it shares with equal ones.

    Answers travel by the candidates' order, never by offsets: each question puts its own ones back.
    """

    claim: ClaimedQuestion
    context: Normalised
    key: bytes

    @classmethod
    def of(cls, claim: ClaimedQuestion, prompt: Prompt, *, model: str) -> SharedQuestion:
        """`model` is the one that is asked, by the name that the endpoint is given."""
        context = normalise(claim.text, claim.candidates)
        key = question_key(model=model, prompt_version=prompt.version, context=context)
        return cls(claim, context, key)

    def share(self, answer: Answer) -> CachedAnswer:
        """This question's answer, for all of its key."""
        return CachedAnswer(
            key=self.key,
            labels=tuple(answer.labels[span] for span in sorted(self.claim.candidates)),
            model=answer.model,
            prompt_version=answer.prompt_version,
            raw=answer.raw,
            replayed=answer.replayed,
        )

    def take(self, cached: CachedAnswer) -> Answer:
        """The answer of an equal question, as this one's. It cost nothing again."""
        return Answer(
            labels=dict(zip(sorted(self.claim.candidates), cached.labels, strict=True)),
            model=cached.model,
            prompt_version=cached.prompt_version,
            raw=cached.raw,
            prompt_tokens=0,
            completion_tokens=0,
            replayed=cached.replayed,
            cached=True,
        )
