"""The store's methods for many questions, with one."""

from __future__ import annotations

from collections.abc import Callable

from workers.ports import Answer, Answered, CachedAnswer, Call, ClaimedQuestion, Recalled, Store


def claim_one(store: Store, question_id: int, *, lease_s: float, max_attempts: int) -> ClaimedQuestion | None:
    """The claim, or None where there is none."""
    claims = store.claim([question_id], lease_s=lease_s, max_attempts=max_attempts)
    return claims[0] if claims else None


def recall_one(store: Store, claim: ClaimedQuestion, key: bytes, *, max_age_s: float) -> Recalled:
    """What the answer cache says to the claim."""
    (recalled,) = store.recall([(claim, key)], max_age_s=max_age_s)
    return recalled


def record_one(
    store: Store,
    claim: ClaimedQuestion,
    answer: Answer,
    *,
    keep: CachedAnswer | None = None,
    call: Call | None = None,
) -> bool:
    """Whether the answer was written."""
    (written,) = store.record_answers([Answered(claim, answer, keep, call)])
    return written


def alone(store: Store) -> Callable[[Answered], bool]:
    """What writes each answer in a transaction of its own."""
    return lambda answered: store.record_answers([answered])[0]
