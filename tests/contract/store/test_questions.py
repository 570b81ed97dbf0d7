"""Questions are claimed, answered, released and ended, in memory and in PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

import pytest

from tests.contract.store.scene import ANNA, FOREVER_S, OSLO, Ports, answer, ask, claimed, due, scored
from tests.support.one_question import claim_one, record_one


class TestQuestions:
    def test_a_claimed_question_is_held(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        claimed(ports, question_id)
        assert claim_one(ports.store, question_id, lease_s=FOREVER_S, max_attempts=5) is None

    def test_there_is_no_such_question(self, ports: Ports) -> None:
        assert claim_one(ports.store, 1_000_000, lease_s=FOREVER_S, max_attempts=5) is None

    def test_an_expired_lease_lets_another_caller_in_and_fences_the_first_out(self, ports: Ports) -> None:
        document_id, (question_id,) = ask(ports, [scored(ANNA)])
        first = claimed(ports, question_id, lease_s=0.0)
        second = claimed(ports, question_id)
        assert (second.attempts, second.fence) == (2, first.fence + 1)
        assert not record_one(ports.store, first, answer({ANNA: "location"}))
        assert not ports.store.end_question(first, reason="late", error="late")
        assert not ports.store.release(first, delay_s=0.0, error=None)
        assert record_one(ports.store, second, answer({ANNA: "person"}))
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.answers == {ANNA: "person"}

    def test_an_answer_after_its_lease_counts_while_nobody_else_came(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        assert record_one(ports.store, claimed(ports, question_id, lease_s=0.0), answer({ANNA: "person"}))

    def test_an_answer_is_recorded_once(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        claim = claimed(ports, question_id)
        assert record_one(ports.store, claim, answer({ANNA: "person"}))
        assert not record_one(ports.store, claim, answer({ANNA: "location"}))
        assert not ports.store.end_question(claim, reason="late", error="late")
        assert claim_one(ports.store, question_id, lease_s=FOREVER_S, max_attempts=5) is None

    def test_the_last_question_moves_the_document_on(self, ports: Ports) -> None:
        document_id, (first, second) = ask(ports, [scored(ANNA)], [scored(OSLO)])
        record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}))
        assert due(ports, "aggregate") == []
        assert ports.store.joinable([document_id]) == []
        assert ports.store.end_question(claimed(ports, second), reason="llm-refused", error="400")
        assert due(ports, "aggregate") == [document_id]

    def test_a_released_question_comes_back_after_its_delay(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        assert ports.store.release(claimed(ports, question_id), delay_s=FOREVER_S, error="busy")
        assert due(ports, "classify") == []
        assert claim_one(ports.store, question_id, lease_s=FOREVER_S, max_attempts=5) is None

    def test_a_question_released_without_delay_is_due(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        ports.store.release(claimed(ports, question_id), delay_s=0.0, error=None)
        assert due(ports, "classify") == [question_id]

    @pytest.mark.parametrize(("error", "attempts"), [("busy", 2), (None, 1)])
    def test_only_a_release_with_an_error_counts_as_an_attempt(
        self, ports: Ports, error: str | None, attempts: int
    ) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        ports.store.release(claimed(ports, question_id), delay_s=0.0, error=error)
        assert claimed(ports, question_id).attempts == attempts

    def test_poison_ends_after_its_attempts(self, ports: Ports) -> None:
        document_id, (question_id,) = ask(ports, [scored(ANNA)])
        for _ in range(3):
            assert claim_one(ports.store, question_id, lease_s=0.0, max_attempts=3) is not None
        assert claim_one(ports.store, question_id, lease_s=0.0, max_attempts=3) is None
        assert due(ports, "aggregate") == [document_id]
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.unanswered == {ANNA: "attempts-exhausted"}

    def test_a_reply_that_no_database_can_hold_is_kept_as_far_as_it_goes(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        raw = "person\x00 \ud800" + "x" * 100_000
        assert record_one(ports.store, claimed(ports, question_id), answer({ANNA: "person"}, raw=raw))

    def test_an_error_that_no_database_can_hold_is_kept_as_far_as_it_goes(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        error = "\x00\ud800" + "x" * 100_000
        assert ports.store.release(claimed(ports, question_id), delay_s=0.0, error=error)
        assert ports.store.end_question(claimed(ports, question_id), reason="llm-refused", error=error)
