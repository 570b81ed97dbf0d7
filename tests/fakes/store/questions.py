"""The store in memory: questions, and the cache of their answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Cached, Question
from workers.ports import ATTEMPTS_EXHAUSTED, Answered, Call, ClaimedQuestion, Recalled


class Questions(Memory):
    """The part of ports.Store that handlers of questions use."""

    def claim(
        self, question_ids: Collection[int], *, lease_s: float, max_attempts: int
    ) -> list[ClaimedQuestion]:
        ids = sorted(set(question_ids))
        claims = [self._claim(id_, lease_s=lease_s, max_attempts=max_attempts) for id_ in ids]
        return [claim for claim in claims if claim is not None]

    def _claim(self, question_id: int, *, lease_s: float, max_attempts: int) -> ClaimedQuestion | None:
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

    def recall(self, asked: Sequence[tuple[ClaimedQuestion, bytes]], *, max_age_s: float) -> list[Recalled]:
        # Of equal questions the one that made the promise before keeps it.
        order = sorted(range(len(asked)), key=lambda place: not self._has_promised(*asked[place]))
        recalled: dict[int, Recalled] = {}
        promised: set[bytes] = set()  # once, even where a lease has ended already
        for place in order:
            claim, key = asked[place]
            found = self._recall(claim, key, max_age_s=max_age_s, may_promise=key not in promised)
            recalled[place] = found
            if found == "ask":
                promised.add(key)
        return [recalled[place] for place in range(len(asked))]

    def _has_promised(self, claim: ClaimedQuestion, key: bytes) -> bool:
        known = self._cache.get(key)
        return known is not None and known.question.id == claim.question_id

    def _recall(self, claim: ClaimedQuestion, key: bytes, *, max_age_s: float, may_promise: bool) -> Recalled:
        known, question = self._cache.get(key), self._held(claim)
        if self.is_known(key, max_age_s=max_age_s):
            return known.answer
        if question is None:
            return "stale"
        is_open = known is None or known.answer is not None or known.promised_until <= self.now
        if may_promise and is_open:
            known = self._cache[key] = Cached(question, question.lease_until)
        if known.question is question:
            known.promised_until = question.lease_until
            return "ask"
        self.release(claim, delay_s=known.promised_until - self.now, error=None)
        question.awaits = key
        return "put-off"

    def record_answers(self, answered: Sequence[Answered]) -> list[bool]:
        return [self._record_answer(one) for one in answered]

    def _record_answer(self, answered: Answered) -> bool:
        question = self._held(answered.claim)
        if question is None:
            return False
        question.answer = answered.answer
        self._end(question, state="answered")
        if answered.call is not None:
            self.record_call(answered.claim, answered.call)
        if answered.keep is not None:
            self._cache[answered.keep.key] = Cached(question, self.now, self.now, answered.keep)
            self._wake(answered.keep.key)
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
        question.batch_id = question.batch_id if error is None else None
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
