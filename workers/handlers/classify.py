"""Classification of one question: claim → answer cache → limiter → LLM → answer, each safe to repeat."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from linkner.classification import Form, Reading, ask_at_once, read
from linkner.errors import RejectedError, UnavailableError
from linkner.labels import LabelSet
from workers.handlers.budget import BUDGET, Budget, Tariff
from workers.handlers.sharing import SharedQuestion
from workers.ports import (
    ATTEMPTS_EXHAUSTED,
    Answer,
    CachedAnswer,
    ClaimedQuestion,
    Clock,
    Limiter,
    Llm,
    Recalled,
    Reply,
    Store,
)

log = logging.getLogger("linkner.classify")

LLM_REFUSED = "llm-refused"
UNREADABLE = "unreadable-answer"

_READABLE_BY = 2  # the attempt whose reply is taken as it is

Outcome = Literal["answered", "released", "put-off", "ended", "skipped", "stale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyQuestion:
    """Handles one `classify` message: one question about one document, in the given form.

    The lease must outlast the limiter's wait and the call's deadline together: an answer that comes after
    its lease ended may find a newer fence and is then dropped.

    A question equal to one answered within `cache_max_age_s` takes that answer, and one equal to a question
    that is being asked is put off until it is answered; 0 asks each anew.
    """

    store: Store
    llm: Llm
    limiter: Limiter
    form: Form
    label_set: LabelSet
    clock: Clock
    lease_s: float
    max_attempts: int
    max_wait_s: float
    tariff: Tariff
    budget: Budget
    cache_max_age_s: float

    def __call__(self, question_id: int) -> Outcome:
        """Ask the question if it is free and the limit allows; what became of it."""
        claim = self.store.claim(question_id, lease_s=self.lease_s, max_attempts=self.max_attempts)
        if claim is None:
            return "skipped"
        asked = ask_at_once(claim.text, claim.candidates, form=self.form, label_set=self.label_set)
        question = SharedQuestion.of(claim, asked, model=self.tariff.model)
        known = self._recall(question)
        if isinstance(known, CachedAnswer):
            return "answered" if self.store.record_answer(claim, question.take(known)) else "stale"
        if known != "ask":
            return known
        try:
            if self.budget.is_spent(claim.source):
                return self._end(claim, reason=BUDGET, error="the day's budget is spent")
            wait_s = self._wait_for_permit()
        except UnavailableError:
            self.store.release(claim, delay_s=5.0, error=None)
            raise
        if wait_s > 0:
            return self._release(claim, delay_s=wait_s, error=None)
        return self._ask(question)

    def _recall(self, question: SharedQuestion) -> Recalled:
        if not self.cache_max_age_s:
            return "ask"
        return self.store.recall(question.claim, question.key, max_age_s=self.cache_max_age_s)

    def _wait_for_permit(self) -> float:
        """0.0 once a permit is taken, else the wait (s) that is too long for this slot."""
        give_up = self.clock.monotonic() + self.max_wait_s
        while (wait_s := self.limiter.reserve()) > 0:
            if self.clock.monotonic() + wait_s > give_up:
                return wait_s
            self.clock.sleep(wait_s)
        return 0.0

    def _ask(self, question: SharedQuestion) -> Outcome:
        claim = question.claim
        try:
            reply = self.llm.ask(question.asked.prompt)
        except RejectedError as error:
            return self._end(claim, reason=LLM_REFUSED, error=str(error))
        except UnavailableError as error:
            return self._later(claim, error)
        call = self.tariff.call(reply)
        reading = read(reply.text, question.asked, self.label_set)
        missing = [span for span in claim.candidates if span not in reading.labels]
        if missing and (claim.attempts < _READABLE_BY or not reading.labels):
            self.store.record_call(claim, call)
            return self._unreadable(claim, reply)
        answer = _answer(question, reading, reply)
        keep = question.share(answer) if self.cache_max_age_s else None
        if self.store.record_answer(claim, answer, keep=keep, call=call):
            return "answered"
        self.store.record_call(claim, call)
        return "stale"

    def _later(self, claim: ClaimedQuestion, error: UnavailableError) -> Outcome:
        """A service that says when to come back has refused nothing: that is not counted as an attempt."""
        log.warning("action=put-off question=%s error=%s", claim.question_id, error)
        if error.retry_after_s is not None:
            return self._release(claim, delay_s=error.retry_after_s, error=None)
        if claim.attempts >= self.max_attempts:
            return self._end(claim, reason=ATTEMPTS_EXHAUSTED, error=str(error))
        return self._release(claim, delay_s=min(0.5 * 2**claim.attempts, 30.0), error=str(error))

    def _unreadable(self, claim: ClaimedQuestion, reply: Reply) -> Outcome:
        """A label outside the set is asked for once more, then the local label stands.

        Of several candidates those stand that the second reply says nothing of; the others are answered.
        """
        error = f"not a label of {self.label_set.name} for each candidate in the reply {reply.text[:200]!r}"
        if claim.attempts >= _READABLE_BY:
            return self._end(claim, reason=UNREADABLE, error=error)
        return self._release(claim, delay_s=0.0, error=error)

    def _release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> Outcome:
        return "released" if self.store.release(claim, delay_s=delay_s, error=error) else "stale"

    def _end(self, claim: ClaimedQuestion, *, reason: str, error: str) -> Outcome:
        return "ended" if self.store.end_question(claim, reason=reason, error=error) else "stale"


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
