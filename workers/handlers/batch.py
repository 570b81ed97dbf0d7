"""The batch lane: waiting questions asked together, answered within a day for less money.

Nothing is paid for twice. A batch has its name before the provider hears of it, and whoever follows a process
that died finds it by that name. Results are settled question by question, each by its own claim, and may be
settled again from the beginning.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from linkner.classification import Prompt
from linkner.errors import ServiceError, UnavailableError
from workers.handlers.answering import Answering, Outcome
from workers.handlers.budget import Budget, Purse, Tariff
from workers.handlers.sharing import SharedQuestion
from workers.ports import (
    BUDGET,
    NO_QUESTION,
    BatchedQuestion,
    Batches,
    BatchLlm,
    Call,
    ClaimedQuestion,
    Note,
    Reply,
    StoredBatch,
    forget,
)

log = logging.getLogger("linkner.batch")

Results = Mapping[str, Reply | ServiceError]

APPEARS_WITHIN_S = 1_800.0
"""Time after which a batch that the provider does not know will not come to be: longer than it can take to
send it off, an upload and two calls with the time-out of the client."""
_GIVEN_UP_AFTER_S = 3 * 86_400.0
"""Age at which a batch is given up that the provider still says nothing of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQuestions:
    """Sends batches off and settles what comes back; for one process at a time.

    A batch is made of `at_least` waiting questions, or fewer once one has waited `after_s`, and at most
    `at_most`. While `is_shut` none is sent off; what one cost is told to `spend`, too. With `revise_late` an
    answer that comes after its question's deadline opens the document once more, for another revision; else
    it is dropped. `go_on` is asked before each question: once it says no, the step ends soon, and leaves the
    rest to the next one. `may_work` is asked right before a batch is sent off: whether this is still the one
    process. `note` is told what a batch, or a whole step, ran into.
    """

    answering: Answering
    batches: Batches
    llm: BatchLlm
    tariff: Tariff
    budget: Budget
    at_least: int
    at_most: int
    after_s: float
    revise_late: bool
    is_shut: Callable[[], bool] = lambda: False
    spend: Callable[[Decimal], None] = lambda _: None
    go_on: Callable[[], bool] = lambda: True
    may_work: Callable[[], bool] = lambda: True
    note: Note = forget
    lease_s: float = 60.0

    def step(self) -> Mapping[str, int]:
        """Look after the batches under way, then send off what waits; counts of questions by outcome."""
        counts: Counter[str] = Counter()
        for batch in self.batches.open():
            try:
                counts.update(self._look_after(batch))
            except ServiceError as error:
                log.warning("action=waiting batch=%s error=%s", batch.name, error)
                self.note("batcher", error)
                if batch.age_s > _GIVEN_UP_AFTER_S:
                    self.batches.close(batch.batch_id, error=str(error))
        counts.update(self._send_off())
        return counts

    def _look_after(self, batch: StoredBatch) -> Mapping[str, int]:
        provider_id = batch.provider_id or self._found(batch)
        if provider_id is None:
            return {}
        state = self.llm.state(provider_id)
        if not state.ended:
            return {}
        results = self.llm.results(provider_id)
        self._pay(batch, results)
        counts, is_settled = self._settle(batch, results)
        if is_settled:
            self.batches.close(batch.batch_id, error=state.error)
            self._discard(batch, provider_id)
        return counts

    def _found(self, batch: StoredBatch) -> str | None:
        """The id of a batch whose submission nobody saw end; it is closed where it never came to be."""
        found = self.llm.find(batch.name)
        if found is not None:
            return found if self._is_submitted(batch, found) else None
        if batch.age_s > APPEARS_WITHIN_S:
            self.batches.close(batch.batch_id, error="the provider never had it")
        return None

    def _is_submitted(self, batch: StoredBatch, provider_id: str) -> bool:
        """Write the provider's id down; what was closed meanwhile is called off: nobody waits for it."""
        is_open = self.batches.submitted(batch.batch_id, provider_id=provider_id)
        if not is_open:
            log.warning("action=called-off batch=%s provider_id=%s", batch.name, provider_id)
            self._discard(batch, provider_id)
        return is_open

    def _pay(self, batch: StoredBatch, results: Results) -> None:
        calls = self._calls(batch, results)
        if self.batches.paid(batch.batch_id, calls):
            self._spend(batch, sum((call.cost for _, call in calls if call.cost), start=Decimal(0)))

    def _spend(self, batch: StoredBatch, money: Decimal) -> None:
        """The store has what the batch cost; the endpoint's limits of money may miss it, if need be."""
        try:
            if money:
                self.spend(money)
        except ServiceError as error:
            log.warning("action=not-counted batch=%s error=%s", batch.name, error)

    def _discard(self, batch: StoredBatch, provider_id: str) -> None:
        try:
            self.llm.discard(provider_id)
        except ServiceError as error:
            log.warning("action=not-discarded batch=%s error=%s", batch.name, error)

    def _send_off(self) -> Mapping[str, int]:
        if self.is_shut():
            return {}
        purse = self.budget.purse()
        batch = self.batches.gather(at_least=self.at_least, at_most=self.at_most, after_s=self.after_s)
        if batch is None:
            return {}
        counts, prompts = self._prompts(batch, purse)
        if not prompts:
            self.batches.close(batch.batch_id, error=None)
            return counts
        return {**counts, **self._submit(batch, prompts, purse.taken)}

    def _submit(
        self, batch: StoredBatch, prompts: Mapping[str, Prompt], estimate: Mapping[str, Decimal]
    ) -> Mapping[str, int]:
        if not (self.may_work() and self.batches.sending(batch.batch_id, estimate=estimate)):
            self.batches.close(batch.batch_id, error="another process took over")
            return {}
        provider_id = self.llm.submit(batch.name, prompts)
        if not self._is_submitted(batch, provider_id):
            return {}
        log.info(
            "action=submitted batch=%s provider_id=%s requests=%s", batch.name, provider_id, len(prompts)
        )
        return {"submitted": len(prompts)}

    def _prompts(self, batch: StoredBatch, purse: Purse) -> tuple[Counter[str], dict[str, Prompt]]:
        """A prompt for each distinct question that is to be asked; the others are ended here.

        Only a prompt costs: what shares one is asked though its source's budget is spent.
        """
        members = self.batches.members(batch.batch_id)
        questions = [(member, self._question(member)) for member in members]
        max_age_s = self.answering.cache_max_age_s
        known = self.batches.known({question.key for _, question in questions}, max_age_s=max_age_s)
        counts: Counter[str] = Counter()
        prompts: dict[str, Prompt] = {}
        for member, question in questions:
            request_id, prompt = self._request_id(member, question), question.asked.prompt
            if question.key in known:
                counts[self._recall(member, question)] += 1
            elif request_id in prompts:
                continue
            elif purse.take(member.source, self.tariff.estimate(prompt)):
                prompts[request_id] = prompt
            else:
                counts[self._end_unaffordable(member)] += 1
        return counts, prompts

    def _question(self, member: BatchedQuestion) -> SharedQuestion:
        return self.answering.question(member.text, member.candidates)

    def _request_id(self, member: BatchedQuestion, question: SharedQuestion) -> str:
        """Equal questions are one request, where they share their answer."""
        shared = self.answering.cache_max_age_s > 0
        return question.key.hex() if shared else f"question-{member.question_id}"

    def _recall(self, member: BatchedQuestion, question: SharedQuestion) -> str:
        claim = self._claim(member)
        return "skipped" if claim is None else self.answering.recall([(claim, question)])[0]

    def _claim(self, member: BatchedQuestion) -> ClaimedQuestion | None:
        claims = self.answering.claim([member.question_id], lease_s=self.lease_s)
        return claims[0] if claims else None

    def _end_unaffordable(self, member: BatchedQuestion) -> Outcome:
        claim = self._claim(member)
        if claim is None:
            return "skipped"
        return self.answering.end(claim, reason=BUDGET, error="the day's budget is spent")

    def _settle(self, batch: StoredBatch, results: Results) -> tuple[Counter[str], bool]:
        """What became of the batch's questions, and whether that is now so for all of them."""
        if self.revise_late:
            self._reopen_late(batch, results)
        counts: Counter[str] = Counter()
        is_settled = True
        for member in self.batches.members(batch.batch_id):
            if member.state != "open":
                continue
            if not self.go_on():
                return counts, False
            outcome = self._settle_one(member, results)
            counts[outcome] += 1
            # A process that died has left its claims behind: they end soon.
            is_settled = is_settled and outcome != "skipped"
        return counts, is_settled

    def _reopen_late(self, batch: StoredBatch, results: Results) -> None:
        """Open what was answered too late; what was not answered at all stays as it ended."""
        late = [
            member.question_id
            for member in self.batches.members(batch.batch_id)
            if member.state == "dead" and isinstance(self._result(member, results), Reply)
        ]
        self.batches.reopen_late(batch.batch_id, late)

    def _result(self, member: BatchedQuestion, results: Results) -> Reply | ServiceError | None:
        return results.get(self._request_id(member, self._question(member)))

    def _calls(self, batch: StoredBatch, results: Results) -> list[tuple[int, Call]]:
        """What the batch cost: a call for each reply, by one of the questions that it is the answer to."""
        requests = {
            self._request_id(member, self._question(member)): member.question_id
            for member in self.batches.members(batch.batch_id)
        }
        return [
            (requests.get(request_id, NO_QUESTION), self.tariff.call(result, batched=True))
            for request_id, result in results.items()
            if isinstance(result, Reply)
        ]

    def _settle_one(self, member: BatchedQuestion, results: Results) -> Outcome:
        claim = self._claim(member)
        if claim is None:
            return "skipped"
        question = self._question(member)
        (known,) = self.answering.recall([(claim, question)])
        if known != "ask":
            return known
        result = self._result(member, results)
        if isinstance(result, Reply):
            return self.answering.replied(claim, question, result, call=None)
        return self.answering.failed(claim, result or UnavailableError("the batch has no result for it"))
