"""Classification of one question: claim → answer cache → limits → LLM → answer, each step safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass

from linkner.errors import BudgetSpentError, ServiceError, UnavailableError
from workers.handlers.answering import Answering, Outcome
from workers.handlers.budget import BUDGET, Budget
from workers.ports import Llms

_AWAY_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyQuestion:
    """Handles one `classify` message: one question about one document.

    The lease must outlast the wait for a permit and the call's deadline together: an answer that comes after
    its lease ended may find a newer fence and is then dropped.
    """

    answering: Answering
    llms: Llms
    lease_s: float
    budget: Budget

    def __call__(self, question_id: int) -> Outcome:
        """Ask the question if it is free and the limits allow; what became of it."""
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
        except UnavailableError:
            self.answering.release(claim, delay_s=_AWAY_PAUSE_S)
            raise
        try:
            asked = self.llms.ask(question.asked.prompt)
        except BudgetSpentError as error:
            return self.answering.end(claim, reason=BUDGET, error=str(error))
        except ServiceError as error:
            return self.answering.failed(claim, error)
        return self.answering.replied(claim, question, asked.reply, asked.call)
