"""The store in memory: questions, and the cache of their answers."""

from __future__ import annotations

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Cached, Question
from workers.ports import ATTEMPTS_EXHAUSTED, Answer, CachedAnswer, Call, ClaimedQuestion, Recalled


class Questions(Memory):
    """The part of ports.Store that handlers of questions use."""

    def claim(self, question_id: int, *, lease_s: float, max_attempts: int) -> ClaimedQuestion | None:
        question = self._questions.get(question_id)
        if question is None or not self._is_claimable(question):
            return None
        if question.attempts >= max_attempts:
            self._end(question, state="dead", reason=ATTEMPTS_EXHAUSTED)
            return None
        question.state, question.lease_until = "claimed", self.now + lease_s
        question.fence += 1
        question.attempts += 1
        return ClaimedQuestion(
            question_id=question.id,
            document_id=question.document.id,
            fence=question.fence,
            attempts=question.attempts,
            source=question.document.new.source,
            text=question.document.new.text,
            candidates=tuple(sorted(candidate.span for candidate in question.candidates)),
        )

    def _is_claimable(self, question: Question) -> bool:
        if question.state == "claimed":
            return question.lease_until <= self.now
        return question.state == "pending" and question.not_before <= self.now

    def recall(self, claim: ClaimedQuestion, key: bytes, *, max_age_s: float) -> Recalled:
        known, question = self._cache.get(key), self._held(claim)
        if self.is_known(key, max_age_s=max_age_s):
            return known.answer
        if question is None:
            return "stale"
        if known is None or known.answer is not None or known.promised_until <= self.now:
            known = self._cache[key] = Cached(question, question.lease_until)
        if known.question is question:
            known.promised_until = question.lease_until
            return "ask"
        self.release(claim, delay_s=known.promised_until - self.now, error=None)
        question.awaits = key
        return "put-off"

    def record_answer(
        self,
        claim: ClaimedQuestion,
        answer: Answer,
        *,
        keep: CachedAnswer | None = None,
        call: Call | None = None,
    ) -> bool:
        question = self._held(claim)
        if question is None:
            return False
        question.answer = answer
        self._end(question, state="answered")
        if call is not None:
            self.record_call(claim, call)
        if keep is not None:
            self._cache[keep.key] = Cached(question, self.now, self.now, keep)
            self._wake(keep.key)
        return True

    def record_call(self, claim: ClaimedQuestion, call: Call) -> None:
        self.add_call(claim.source, call)

    def _wake(self, key: bytes) -> None:
        for question in self._questions.values():
            if question.state == "pending" and question.awaits == key:
                question.not_before, question.awaits, self._news = self.now, None, True

    def release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> bool:
        question = self._held(claim)
        if question is None:
            return False
        question.state, question.published_at, question.not_before = "pending", None, self.now + delay_s
        question.attempts -= error is None
        question.last_error = error or question.last_error
        return True

    def end_question(self, claim: ClaimedQuestion, *, reason: str, error: str) -> bool:
        question = self._held(claim)
        if question is None:
            return False
        question.last_error = error
        self._end(question, state="dead", reason=reason)
        return True

    def purge_cache(self, *, older_than_s: float, model: str | None = None) -> int:
        oldest = self.now - older_than_s
        purged = [
            key
            for key, known in self._cache.items()
            if (known.promised_until <= self.now if known.answer is None else known.answered_at <= oldest)
            and (model is None or (known.answer is not None and known.answer.model == model))
        ]
        for key in purged:
            del self._cache[key]
        return len(purged)
