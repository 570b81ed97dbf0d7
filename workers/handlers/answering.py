"""What becomes of a claimed question, however it is asked: alone or in a batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from linkner.classification import Form, Reading, ask_at_once, read
from linkner.errors import ServiceError, UnavailableError
from linkner.labels import LabelSet
from linkner.spans import Span
from workers.handlers.sharing import SharedQuestion
from workers.ports import (
    ATTEMPTS_EXHAUSTED,
    LLM_REFUSED,
    UNREADABLE,
    Answer,
    Answered,
    CachedAnswer,
    Call,
    ClaimedQuestion,
    Reply,
    Store,
)

log = logging.getLogger("linkner.classify")

_READABLE_BY = 2  # the attempt whose reply is taken as it is

Outcome = Literal["answered", "released", "put-off", "ended", "skipped", "stale"]

Asking = tuple[ClaimedQuestion, SharedQuestion]
"""A question that is held, and what is asked in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Claims questions, puts them into the form, and records what comes of them.

    A question equal to one answered within `cache_max_age_s` takes that answer, and one equal to a question
    that is being asked is put off until it is answered; 0 asks each anew. `model` is what is asked, by the
    name that stands in the cache's keys. `record` writes one answer; it may wait for others to write with it.
    """

    store: Store
    record: Callable[[Answered], bool]
    form: Form
    label_set: LabelSet
    model: str
    max_attempts: int
    cache_max_age_s: float

    def claim(self, question_ids: Collection[int], *, lease_s: float) -> list[ClaimedQuestion]:
        """Take those questions that have not ended and are not held; poisoned ones end here."""
        return self.store.claim(question_ids, lease_s=lease_s, max_attempts=self.max_attempts)

    def question(self, text: str, candidates: Sequence[Span]) -> SharedQuestion:
        """What is asked about these candidates."""
        asked = ask_at_once(text, candidates, form=self.form, label_set=self.label_set)
        return SharedQuestion.of(asked, model=self.model)

    def recall(self, asking: Sequence[Asking]) -> list[Outcome | Literal["ask"]]:
        """`ask` where there is no answer and nobody else is asking; else what became of the question."""
        if not self.cache_max_age_s:
            return ["ask"] * len(asking)
        keys = [(claim, question.key) for claim, question in asking]
        recalled = self.store.recall(keys, max_age_s=self.cache_max_age_s)
        found = [
            Answered(claim, question.take(known))
            for (claim, question), known in zip(asking, recalled, strict=True)
            if isinstance(known, CachedAnswer)
        ]
        written = iter(self.store.record_answers(found) if found else ())
        return [
            known if not isinstance(known, CachedAnswer) else "answered" if next(written) else "stale"
            for known in recalled
        ]

    def replied(
        self, claim: ClaimedQuestion, question: SharedQuestion, reply: Reply, call: Call | None
    ) -> Outcome:
        """Record the answer in a reply, and the call in any case, where there is one to be recorded."""
        reading = read(reply.text, question.asked, self.label_set)
        missing = [span for span in claim.candidates if span not in reading.labels]
        if missing and (claim.attempts < _READABLE_BY or not reading.labels):
            self._record_call(claim, call)
            return self._unreadable(claim, reply)
        answer = _answer(question, reading, reply)
        keep = question.share(answer) if self.cache_max_age_s else None
        if self.record(Answered(claim, answer, keep, call)):
            return "answered"
        self._record_call(claim, call)
        return "stale"

    def failed(self, claim: ClaimedQuestion, error: ServiceError) -> Outcome:
        """Have the question asked again, or end it, where its call came to nothing.

        A service that says when to come back has refused nothing: that is not counted as an attempt.
        """
        if not isinstance(error, UnavailableError):
            return self.end(claim, reason=LLM_REFUSED, error=str(error))
        if error.retry_after_s is not None:
            log.debug("action=put-off question=%s error=%s", claim.question_id, error)
            return self.release(claim, delay_s=error.retry_after_s)
        log.warning("action=failed question=%s error=%s", claim.question_id, error)
        if claim.attempts >= self.max_attempts:
            return self.end(claim, reason=ATTEMPTS_EXHAUSTED, error=str(error))
        return self.release(claim, delay_s=min(0.5 * 2**claim.attempts, 30.0), error=str(error))

    def release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None = None) -> Outcome:
        """Give the question back; with `error` the attempt counts."""
        return "released" if self.store.release(claim, delay_s=delay_s, error=error) else "stale"

    def end(self, claim: ClaimedQuestion, *, reason: str, error: str) -> Outcome:
        """End the question without an answer."""
        return "ended" if self.store.end_question(claim, reason=reason, error=error) else "stale"

    def _record_call(self, claim: ClaimedQuestion, call: Call | None) -> None:
        if call is not None:
            self.store.record_call(claim, call)

    def _unreadable(self, claim: ClaimedQuestion, reply: Reply) -> Outcome:
        """A label outside the set is asked for once more, then the local label stands.

        Of several candidates those stand that the second reply says nothing of; the others are answered.
        """
        error = f"not a label of {self.label_set.name} for each candidate in the reply {reply.text[:200]!r}"
        if claim.attempts >= _READABLE_BY:
            return self.end(claim, reason=UNREADABLE, error=error)
        return self.release(claim, delay_s=0.0, error=error)


def _answer(question: SharedQuestion, reading: Reading, reply: Reply) -> Answer:
    return Answer(
        labels=reading.labels,
        model=reply.model,
        prompt_version=question.asked.prompt.version,
        raw=reply.text,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        replayed=reply.replayed,
        proposals=reading.proposals,
    )
