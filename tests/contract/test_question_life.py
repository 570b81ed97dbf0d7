"""The life of a question on PostgreSQL, whatever comes: crashes, expired leases, repeats, late answers.

Hypothesis looks for a sequence of these that breaks the guarantee, and shortens what it finds.
LINKNER_LIFE_EXAMPLES makes it look longer.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run
from sqlalchemy import Engine, text

from linkner.spans import Entity, Recognition, ScoredSpan, Span
from tests.support.one_question import claim_one, record_one
from workers.ports import Answer, ClaimedQuestion, NewDocument, Recognised, Stage
from workers.store import asking
from workers.store.dead import PostgresDead, Ref
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

SPANS = (Span(0, 4), Span(8, 12))
MAX_ATTEMPTS = 3
EXAMPLES = int(os.environ.get("LINKNER_LIFE_EXAMPLES", "20"))

_EMPTY = text("TRUNCATE documents, feed, calls, cached_answers RESTART IDENTITY CASCADE")
_QUESTIONS = text("""
    SELECT questions.id, state, fence, attempts, reason, count(answers.question_id) AS answers
    FROM questions LEFT JOIN answers ON answers.question_id = questions.id GROUP BY questions.id
""")


def scored(span: Span) -> ScoredSpan:
    return ScoredSpan(span, "person", 0.75, 0.5, {"person": 0.75, "O": 0.25})


class QuestionLife(RuleBasedStateMachine):
    """One document with two questions; callers that crash, sleep too long and come back."""

    engine: Engine

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.store, self.outbox = PostgresStore(self.engine), PostgresOutbox(self.engine)
        self.reader, self.dead = PostgresReader(self.engine), PostgresDead(self.engine)
        self.newest: dict[int, int] = {}
        self.finished = 0

    @initialize()
    def begin(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(_EMPTY)
        (accepted,) = self.store.accept([NewDocument("test", "1", "Anna in Oslo")])
        self.document_id = accepted.document_id
        entities = tuple(map(scored, SPANS))
        asked = tuple((entity,) for entity in entities)
        result = Recognised(self.document_id, "local", Recognition(entities, ()), asked)
        assert self.store.record_recognised([result, result]) == 1
        with self.engine.connect() as connection:
            self.questions = sorted(row.id for row in connection.execute(_QUESTIONS))

    @rule(target=claims, number=st.integers(0, 1), lease_s=st.sampled_from([0.0, 0.0, 0.0, 3600.0]))
    def claim(self, number: int, lease_s: float) -> object:
        """A message, the first or a repeated one: somebody takes the question if it is free."""
        claim = claim_one(self.store, self.questions[number], lease_s=lease_s, max_attempts=MAX_ATTEMPTS)
        if claim is None:
            return multiple()
        assert claim.fence > self.newest.get(claim.question_id, 0), "a fence token is given once"
        assert claim.attempts <= MAX_ATTEMPTS
        self.newest[claim.question_id] = claim.fence
        return claim

    @rule(claim=claims, label=st.sampled_from(["person", "location", "O"]))
    def answer(self, claim: ClaimedQuestion, label: str) -> None:
        """Any caller that ever held it comes back with an answer, however late, however often."""
        labels = dict.fromkeys(claim.candidates, label)
        written = record_one(self.store, claim, Answer(labels, "llm", "p1", label, 9, 1, replayed=False))
        self._only_the_newest(claim, written)

    @rule(claim=claims)
    def end(self, claim: ClaimedQuestion) -> None:
        self._only_the_newest(claim, self.store.end_question(claim, reason="llm-refused", error="HTTP 400"))

    @rule(claim=claims, error=st.sampled_from([None, "busy"]), delay_s=st.sampled_from([0.0, 3600.0]))
    def release(self, claim: ClaimedQuestion, error: str | None, delay_s: float) -> None:
        self._only_the_newest(claim, self.store.release(claim, delay_s=delay_s, error=error))

    def _only_the_newest(self, claim: ClaimedQuestion, written: bool) -> None:
        assert not written or self.newest[claim.question_id] == claim.fence, "a stale claim wrote"

    @rule()
    def crash(self) -> None:
        """Whoever holds a question is gone; time passes until the leases end."""
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE questions SET lease_until = now() WHERE state = 'claimed'"))

    @rule()
    def time_passes(self) -> None:
        """What was put off has become due."""
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE questions SET not_before = now() WHERE state = 'pending'"))

    @rule(stage=st.sampled_from(["classify", "aggregate"]), lost=st.booleans())
    def publish(self, stage: Stage, lost: bool) -> None:
        """What is due goes to the broker, which may lose it."""
        sent: list[int] = []
        self.outbox.publish_due(stage, limit=10, send=sent.extend)
        if stage == "aggregate" and not lost:
            self._join(sent)

    @rule(past_deadline=st.sampled_from([False, False, False, True]))
    def sweep(self, past_deadline: bool) -> None:
        deadline_s = 0.0 if past_deadline else 3600.0
        self.outbox.sweep(republish_after_s=0.0, deadline_s=deadline_s, document_deadline_s=3600.0)

    @rule(number=st.integers(0, 1))
    def replay(self, number: int) -> None:
        """An operator tries a dead question again, which opens its document."""
        self.dead.replay([Ref("question", self.questions[number])], send=lambda queue, message: None)

    def _join(self, document_ids: list[int]) -> None:
        for found in self.store.joinable(document_ids):
            assert found.answers.keys() | found.unanswered.keys() == set(SPANS)
            decided = [Entity(span, label, "llm", 0.7, 0.3) for span, label in found.answers.items()]
            linked, fences = {found.document_id: decided}, {found.document_id: found.fence}
            finished = [self.store.complete(linked, fences=fences) for _ in range(2)]
            assert finished == [1, 0]
            self.finished += 1

    @invariant()
    def every_question_is_open_or_has_one_end(self) -> None:
        if not hasattr(self, "questions"):
            return
        with self.engine.connect() as connection:
            rows = connection.execute(_QUESTIONS).all()
        for row in rows:
            assert row.answers == (row.state == "answered")
            assert (row.reason is not None) == (row.state == "dead")
            assert 0 <= row.attempts <= MAX_ATTEMPTS
        view = self.reader.document(self.document_id)
        assert view is not None
        assert view.revision == self.finished
        if view.status == "final":
            assert all(row.state in {"answered", "dead"} for row in rows)
        assert len(self.reader.feed(after=0, limit=10)) == (view.status == "final")

    def teardown(self) -> None:
        """Whatever happened, all ends once the relay, a caller and the aggregator are left alone."""
        if hasattr(self, "questions"):
            for _ in range(MAX_ATTEMPTS + 2):
                self.crash()
                self.time_passes()
                self.outbox.sweep(republish_after_s=0.0, deadline_s=3600.0, document_deadline_s=3600.0)
                due: list[int] = []
                self.outbox.publish_due("classify", limit=10, send=due.extend)
                for question_id in due:
                    claim = claim_one(self.store, question_id, lease_s=60.0, max_attempts=MAX_ATTEMPTS)
                    if claim is not None:
                        self.store.end_question(claim, reason="llm-refused", error="HTTP 400")
                self.publish("aggregate", lost=False)
            assert self.reader.unfinished() == 0
            self.every_question_is_open_or_has_one_end()


@pytest.mark.timeout(280)
def test_whatever_comes_a_question_ends_once_and_its_document_is_finished(engine: Engine) -> None:
    QuestionLife.engine = engine
    run(
        QuestionLife,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=EXAMPLES <= 100,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_a_stale_answer_is_seen_where_the_fence_is_off(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfenced = asking.ANSWER.text.replace("questions.fence = claim.fence", "true")
    monkeypatch.setattr(asking, "ANSWER", text(unfenced))
    QuestionLife.engine = engine
    life = QuestionLife()
    life.begin()
    stale = life.claim(number=0, lease_s=0.0)
    life.claim(number=0, lease_s=3600.0)
    with pytest.raises(AssertionError, match="a stale claim wrote"):
        life.answer(claim=stale, label="person")
