"""Classification of questions: claim → answer cache → limits → LLM → answer, each step safe to repeat.

A message only says which questions are due. Once they are claimed it has done its work: what happens to this
process then, their leases see to.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

from linkner.errors import BudgetSpentError, ServiceError, UnavailableError
from workers.handlers.answering import Answering, Asking, Outcome
from workers.handlers.budget import Budget
from workers.handlers.sharing import SharedQuestion
from workers.ports import BUDGET, ClaimedQuestion, Llms, Note, Slots, forget

log = logging.getLogger("linkner.classify")

_AWAY_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyQuestions:
    """Handles one `classify` message: questions, each of which is asked in a slot of its own.

    The lease must outlast the wait for a permit, the call's deadline and the wait for other answers together:
    an answer that comes after its lease ended may find a newer fence and is then dropped. `note` is told of
    questions that there is no money for.
    """

    answering: Answering
    llms: Llms
    slots: Slots
    lease_s: float
    budget: Budget
    note: Note = forget

    def __call__(self, question_ids: Sequence[int]) -> Counter[Outcome]:
        """Take the questions as slots become free, until each has one; what became of those that need none.

        Raises:
            UnavailableError: the store is away, or (StoppedError) this process takes no more questions.
        """
        waiting = list(dict.fromkeys(question_ids))
        outcomes: Counter[Outcome] = Counter()
        while waiting:
            taken = self.slots.take(at_most=len(waiting))
            begun = 0
            try:
                for asking in self._to_ask(waiting[:taken], outcomes):
                    self.slots.run(partial(self._ask, asking))
                    begun += 1
            finally:
                self.slots.give_back(taken - begun)
            waiting = waiting[taken:]
        return outcomes

    def _to_ask(self, question_ids: Sequence[int], outcomes: Counter[Outcome]) -> list[Asking]:
        """Those of the questions that are free, and that the answer cache has nothing of."""
        claims = self.answering.claim(question_ids, lease_s=self.lease_s)
        outcomes["skipped"] += len(question_ids) - len(claims)
        asking = [(claim, question) for claim in claims if (question := self._question(claim)) is not None]
        to_ask = []
        for one, known in zip(asking, self._recall(asking), strict=True):
            if known == "ask":
                to_ask.append(one)
            else:
                outcomes[known] += 1
        return to_ask

    def _recall(self, asking: Sequence[Asking]) -> Sequence[Outcome | Literal["ask"]]:
        """What the answer cache has. Where it cannot be asked, questions are given back if they can be."""
        try:
            return self.answering.recall(asking)
        except UnavailableError:
            with suppress(UnavailableError):
                for claim, _ in asking:
                    self.answering.release(claim, delay_s=_AWAY_PAUSE_S)
            raise

    def _question(self, claim: ClaimedQuestion) -> SharedQuestion | None:
        """What is asked; None where a defect is in the way, which must not stop the others of its message.

        It is held until its lease ends, and after some attempts it is dead.
        """
        try:
            return self.answering.question(claim.text, claim.candidates)
        except Exception:
            log.exception("action=failed question=%s", claim.question_id)
            return None

    def _ask(self, asking: Asking) -> Outcome:
        """Ask one question as the limits allow; what became of it."""
        claim, question = asking
        try:
            if self.budget.is_spent(claim.source):
                return self._without_money(claim, BudgetSpentError("the day's budget is spent"))
        except UnavailableError:
            self.answering.release(claim, delay_s=_AWAY_PAUSE_S)
            raise
        try:
            reply, call = self.llms.ask(question.asked.prompt)
        except BudgetSpentError as error:
            return self._without_money(claim, error)
        except ServiceError as error:
            return self.answering.failed(claim, error)
        return self.answering.replied(claim, question, reply, call)

    def _without_money(self, claim: ClaimedQuestion, error: BudgetSpentError) -> Outcome:
        self.note("money", error)
        return self.answering.end(claim, reason=BUDGET, error=str(error))
