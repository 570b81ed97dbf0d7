"""Long random walks have the same outcome in memory and in PostgreSQL, and keep the guarantee.

The steps include what faults bring about: leases that expire, stale claims that come back, repeated messages,
sweeps at any moment. The walks are the same on every run; a failure names the seed and the step.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from linkner.linking import PROPOSED
from linkner.pricing import Usage
from linkner.spans import Entity, LabelledSpan, Recognition, ScoredSpan, Span
from tests.fakes.store import FakeStore
from tests.support.joining import complete
from workers.ports import (
    Answer,
    Answered,
    CachedAnswer,
    Call,
    ClaimedQuestion,
    Joinable,
    NewDocument,
    Recognised,
    Selection,
    Stage,
)
from workers.store.dead import PostgresDead, Ref
from workers.store.erasing import PostgresErasure
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

SPANS = (Span(0, 4), Span(8, 12))
ADDED = (Span(5, 7), Span(1, 3))
STEPS = 400
LATER_S = 3600.0
KEYS = (b"one", b"two")


def scored(span: Span) -> ScoredSpan:
    return ScoredSpan(span, "person", 0.75, 0.5, {"person": 0.75, "O": 0.25})


def call_of(model: str) -> Call:
    return Call("http://here/v1", model, Usage(300, 2, cached_prompt=256), Decimal("0.00012"), replayed=False)


class Walk:
    """Makes each call on both stores.

    `ids` maps the fake's document ids to PostgreSQL's (which leaves gaps); question ids are equal. `claims`
    are all claims ever made, most of them stale.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self.random = random.Random(seed)
        self.fake = FakeStore()
        self.store, self.outbox = PostgresStore(engine), PostgresOutbox(engine)
        self.reader, self.dead = PostgresReader(engine), PostgresDead(engine)
        self.erasure = PostgresErasure(engine)
        self.ids: dict[int, int] = {}
        self.claims: list[ClaimedQuestion] = []
        self.joins: list[list[tuple[Joinable, Joinable, list[Entity]]]] = []
        self.steps = {
            self.accept: 3,
            self.recognise: 6,
            self.begin: 2,
            self.refuse: 0.2,
            self.claim: 12,
            self.recall: 8,
            self.answer: 2,
            self.end: 1,
            self.release: 4,
            self.publish: 4,
            self.sweep: 1,
            self.aggregate: 1,
            self.spoil: 1,
            self.replay: 1,
            self.purge: 0.5,
            self.erase: 0.5,
        }

    def step(self) -> str:
        (step,) = self.random.choices(list(self.steps), weights=list(self.steps.values()))
        step()
        return step.__name__

    def _document(self) -> tuple[int, int]:
        """A recent document, by its id in the fake and in PostgreSQL."""
        return self.random.choice(list(self.ids.items())[-4:])

    def _claim(self) -> ClaimedQuestion | None:
        return self.random.choice(self.claims[-4:]) if self.claims else None

    def _delay_s(self) -> float:
        return self.random.choice([0.0, 0.0, 0.0, LATER_S])

    def accept(self) -> None:
        key = str(self.random.randrange(max(len(self.ids) - 3, 0), len(self.ids) + 3))
        new = NewDocument("test", key, self.random.choice(["Anna in Oslo", "Anna in Oslo!"]))
        (fake,), (real,) = self.fake.accept([new]), self.store.accept([new])
        assert replace(fake, document_id=0) == replace(real, document_id=0)
        assert self.ids.setdefault(fake.document_id, real.document_id) == real.document_id

    def recognise(self) -> None:
        if self.ids:
            fake_id, real_id = self._document()
            entities = tuple(map(scored, SPANS))
            asked = entities[: self.random.choice([0, 1, 2, 2, 2])]
            packed = (asked,) if asked else ()
            questions = self.random.choice([tuple((entity,) for entity in asked), packed])
            skip_reason = self.random.choice([None, None, None, "no-llm"])
            deadline_s = self.random.choice([None] * 6 + [0.0, LATER_S])
            result = Recognised(
                fake_id, "local", Recognition(entities, ()), questions, skip_reason, deadline_s
            )
            again = replace(result, document_id=real_id)
            assert self.fake.record_recognised([result]) == self.store.record_recognised([again])

    def refuse(self) -> None:
        if self.ids:
            fake_id, real_id = self._document()
            fake = self.fake.fail_recognition([fake_id], reason="refused", error="400")
            assert fake == self.store.fail_recognition([real_id], reason="refused", error="400")

    def begin(self) -> None:
        if self.ids:
            fake_id, real_id = self._document()
            fake, real = self.fake.texts([fake_id]), self.store.texts([real_id])
            assert [replace(found, document_id=self.ids[found.document_id]) for found in fake] == real
            assert self.fake.begin_recognition([fake_id]) == self.store.begin_recognition([real_id])
            error = self.random.choice([None, "HTTP 500"])
            if self.random.random() < 0.5:
                deferred = self.fake.defer(fake, delay_s=0.0, error=error)
                assert deferred == self.store.defer(real, delay_s=0.0, error=error)

    def claim(self) -> None:
        newest = sum(self.fake.counts().questions.values())
        recent = range(max(newest - 3, 1), newest + 2)
        ids = self.random.sample(recent, min(self.random.choice([1, 1, 2, 3]), len(recent)))
        lease_s = self._delay_s()
        fake = self.fake.claim(ids, lease_s=lease_s, max_attempts=3)
        real = self.store.claim(ids, lease_s=lease_s, max_attempts=3)
        assert [replace(claim, document_id=self.ids[claim.document_id]) for claim in fake] == real
        self.claims += real

    def answer(self) -> None:
        if self.claims:
            answered = [self._answered(claim) for claim in self._some_claims()]
            assert self.fake.record_answers(answered) == self.store.record_answers(answered)

    def _answered(self, claim: ClaimedQuestion) -> Answered:
        said = claim.candidates[: self.random.choice([1, 2, 2])]
        labels = dict.fromkeys(said, self.random.choice(["person", "location", "O"]))
        added = [LabelledSpan(span, self.random.choice(["person", "group"])) for span in ADDED]
        proposals = tuple(self.random.sample(added, self.random.choice([0, 0, 1, 2])))
        replayed, cached = self.random.random() < 0.5, self.random.random() < 0.5
        answer = Answer(labels, "llm", "p1", "raw", 10, 1, replayed, cached, proposals)
        key = self.random.choice([*KEYS, None])
        keep = (
            None
            if key is None
            else CachedAnswer(key, tuple(labels.values()), "llm", "p1", "raw", replayed, proposals)
        )
        call = self.random.choice([call_of(f"model-{len(self.claims) % 2}"), None])
        return Answered(claim, answer, keep, call)

    def _some_claims(self) -> list[ClaimedQuestion]:
        """One to three recent claims, stale ones too."""
        recent = self.claims[-4:]
        return self.random.sample(recent, min(self.random.choice([1, 1, 2, 3]), len(recent)))

    def recall(self) -> None:
        self.claim()
        if self.claims:
            by_question = {claim.question_id: claim for claim in self._some_claims()}
            asked = [(claim, self.random.choice(KEYS)) for claim in by_question.values()]
            max_age_s = self.random.choice([LATER_S] * 3 + [0.0])
            fake = self.fake.recall(asked, max_age_s=max_age_s)
            assert fake == self.store.recall(asked, max_age_s=max_age_s)

    def purge(self) -> None:
        older_than_s = self._delay_s()
        fake = self.fake.purge_cache(older_than_s=older_than_s)
        assert fake == self.store.purge_cache(older_than_s=older_than_s)

    def end(self) -> None:
        if claim := self._claim():
            fake = self.fake.end_question(claim, reason="llm-refused", error="400")
            assert fake == self.store.end_question(claim, reason="llm-refused", error="400")

    def release(self) -> None:
        if claim := self._claim():
            delay_s, error = self._delay_s(), self.random.choice([None, "busy"])
            fake = self.fake.release(claim, delay_s=delay_s, error=error)
            assert fake == self.store.release(claim, delay_s=delay_s, error=error)

    def publish(self) -> None:
        stages: list[Stage] = ["recognise", "classify", "aggregate"]
        for stage in stages:
            fake: list[int] = []
            real: list[int] = []
            self.fake.publish_due(stage, limit=STEPS, send=fake.extend)
            self.outbox.publish_due(stage, limit=STEPS, send=real.extend)
            assert sorted(fake if stage == "classify" else map(self.ids.get, fake)) == sorted(real)

    def sweep(self) -> None:
        republish_after_s = self._delay_s()
        deadline_s = self.random.choice([LATER_S] * 7 + [0.0])
        document_deadline_s = self.random.choice([LATER_S] * 30 + [0.0])
        times = {
            "republish_after_s": republish_after_s,
            "deadline_s": deadline_s,
            "document_deadline_s": document_deadline_s,
        }
        assert self.fake.sweep(**times) == self.outbox.sweep(**times)

    def aggregate(self) -> None:
        fake = self.fake.joinable(list(self.ids))
        real = self.store.joinable(list(self.ids.values()))
        assert [replace(found, document_id=self.ids[found.document_id]) for found in fake] == real
        decided = [
            [
                *(Entity(span, label, "llm", 0.7, 0.3) for span, label in found.answers.items()),
                *(
                    Entity(span, label, "llm", 0.0, 1.0, PROPOSED)
                    for span, label in {one.span: one.label for one in found.proposals}.items()
                ),
            ]
            for found in fake
        ]
        self.joins.append(list(zip(fake, real, decided, strict=True)))
        self._complete(self.joins.pop(self.random.choice([0, -1, -1])))
        del self.joins[:-2]

    def _complete(self, joins: Sequence[tuple[Joinable, Joinable, list[Entity]]]) -> None:
        """Write what was read now, or a while ago: some of it is stale then."""
        fake, real = (
            store.complete(
                {join[side].document_id: join[2] for join in joins},
                fences={join[side].document_id: join[side].fence for join in joins},
            )
            for side, store in enumerate((self.fake, self.store))
        )
        assert fake == real

    def spoil(self) -> None:
        """A join that is begun and fails."""
        if self.ids:
            fake_id, real_id = self._document()
            assert self.fake.begin_join([fake_id]) == self.store.begin_join([real_id])
            fake = self.fake.join_attempts([fake_id])
            assert [*fake.values()] == [*self.store.join_attempts([real_id]).values()]
            if fake.get(fake_id, 0) < 2:
                deferred = self.fake.defer_join(fake_id, delay_s=0.0, error="a defect")
                assert deferred == self.store.defer_join(real_id, delay_s=0.0, error="a defect")
            else:
                failed = self.fake.fail_join(fake_id, reason="spoilt", error="a defect")
                assert failed == self.store.fail_join(real_id, reason="spoilt", error="a defect")

    def replay(self) -> None:
        """A few of the newest documents and questions, dead or not."""
        questions = {Ref("question", claim.question_id) for claim in self.claims[-4:]}
        documents = [self._document() for _ in range(2) if self.ids]
        fake = self.fake.replay(questions | {Ref("document", fake_id) for fake_id, _ in documents})
        real = questions | {Ref("document", real_id) for _, real_id in documents}
        assert fake == self.dead.replay(real, send=lambda queue, message: None)

    def erase(self) -> None:
        """A document, by its name."""
        if self.ids:
            selection = Selection(source="test", external_id=str(self.random.randrange(len(self.ids) + 3)))
            fake = self.fake.erase(selection, after=0, limit=2)
            assert fake.documents == self.erasure.erase(selection, after=0, limit=2).documents

    def compare(self) -> None:
        """Everything that can be read is equal, but for the clocks."""
        feeds = [side.feed(after=0, limit=10 * STEPS) for side in (self.fake, self.reader)]
        fake_feed, real_feed = (
            [(i.document_id, i.document and i.document.revision) for i in f] for f in feeds
        )
        assert [(self.ids[id_], revision) for id_, revision in fake_feed] == real_feed
        assert len(set(real_feed)) == len(real_feed)
        fake, real = self.fake.counts(), self.reader.counts()
        assert replace(fake, oldest_unfinished_s=0.0) == replace(real, oldest_unfinished_s=0.0)
        ages = {"oldest_unfinished_s": 0.0, "waits": {}, "batch_due_s": 0.0}
        assert replace(self.fake.backlog(), **ages) == replace(self.reader.backlog(), **ages)
        assert self.fake.spent_today() == self.reader.spent_today()
        assert self.fake.costs("model", within_s=LATER_S) == self.reader.costs("model", within_s=LATER_S)
        sizes = {"oldest_s": 0.0, "bytes": 0}
        assert replace(self.fake.cache(), **sizes) == replace(self.reader.cache(), **sizes)
        for fake_id, real_id in self.ids.items():
            fake_view, real_view = self.fake.document(fake_id), self.reader.document(real_id)
            clocks = {"document_id": 0, "accepted_at": None, "completed_at": None}
            assert (fake_view and replace(fake_view, **clocks)) == (
                real_view and replace(real_view, **clocks)
            )


@pytest.mark.parametrize("seed", range(6))
def test_both_stores_go_in_step(engine: Engine, seed: int) -> None:
    walk = Walk(engine, seed)
    taken: list[str] = []
    for number in range(STEPS):
        try:
            taken.append(walk.step())
            if number % 10 == 0:
                walk.compare()
        except AssertionError as error:
            error.add_note(f"seed {seed}, step {number}, after {taken[-20:]}")
            raise
    assert len(walk.claims) >= 10, "a walk without claims proves little"


def test_whatever_happened_everything_accepted_is_finished_once(engine: Engine) -> None:
    walk = Walk(engine, 99)
    for _ in range(STEPS):
        walk.step()
    with engine.begin() as connection:
        connection.execute(text("UPDATE questions SET lease_until = now() WHERE state = 'claimed'"))
        connection.execute(text("UPDATE questions SET deadline_at = now() WHERE deadline_at IS NOT NULL"))
    accepted = list(walk.ids.values())
    local = [Recognised(real_id, "local", Recognition((), ()), ()) for real_id in accepted]
    walk.store.record_recognised(local)
    walk.outbox.sweep(republish_after_s=0.0, deadline_s=0.0, document_deadline_s=LATER_S)
    complete(walk.store, {id_: [] for id_ in accepted})
    assert walk.reader.unfinished() == 0
    fed = [item for item in walk.reader.feed(after=0, limit=2 * len(accepted)) if item.document]
    left = [real_id for fake_id, real_id in walk.ids.items() if walk.fake.document(fake_id)]
    assert sorted(item.document_id for item in fed) == sorted(left)
