"""Classification of one question: claim → answer cache → limiter → LLM → answer, each safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass

from linkner.errors import ServiceError, UnavailableError
from workers.handlers.answering import Answering, Outcome
from workers.handlers.budget import BUDGET, Budget, Tariff
from workers.handlers.sharing import SharedQuestion
from workers.ports import ClaimedQuestion, Clock, Limiter, Llm

_AWAY_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyQuestion:
    """Handles one `classify` message: one question about one document.

    The lease must outlast the limiter's wait and the call's deadline together: an answer that comes after
    its lease ended may find a newer fence and is then dropped.
    """

    answering: Answering
    llm: Llm
    limiter: Limiter
    clock: Clock
    lease_s: float
    max_wait_s: float
    tariff: Tariff
    budget: Budget

    def __call__(self, question_id: int) -> Outcome:
        """Ask the question if it is free and the limit allows; what became of it."""
        claim = self.answering.claim(question_id, lease_s=self.lease_s)
        if claim is None:
            return "skipped"
        question = self.answering.question(claim.text, claim.candidates)
        known = self.answering.recall(claim, question)
        if known != "ask":
            return known
        try:
            if self.budget.is_spent(claim.source):
                return self.answering.end(claim, reason=BUDGET, error="the day's budget is spent")
            wait_s = self._wait_for_permit()
        except UnavailableError:
            self.answering.release(claim, delay_s=_AWAY_PAUSE_S)
            raise
        if wait_s > 0:
            return self.answering.release(claim, delay_s=wait_s)
        return self._ask(claim, question)

    def _wait_for_permit(self) -> float:
        """0.0 once a permit is taken, else the wait (s) that is too long for this slot."""
        give_up = self.clock.monotonic() + self.max_wait_s
        while (wait_s := self.limiter.reserve()) > 0:
            if self.clock.monotonic() + wait_s > give_up:
                return wait_s
            self.clock.sleep(wait_s)
        return 0.0

    def _ask(self, claim: ClaimedQuestion, question: SharedQuestion) -> Outcome:
        try:
            reply = self.llm.ask(question.asked.prompt)
        except ServiceError as error:
            return self.answering.failed(claim, error)
        return self.answering.replied(claim, question, reply, self.tariff.call(reply))
