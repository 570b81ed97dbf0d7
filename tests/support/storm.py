"""A pipeline over the real store in one process, whose messages and workers suffer faults by a seed.

What it accepted and what came out of it is checked by the record of `linkner chaos`. Time is moved by hand:
leases end and what was put off becomes due when a step says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from linkner.linking import link
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import TinyRecogniser
from tests.support.one_question import claim_one, record_one
from workers.chaos.record import RunRecord
from workers.ports import Answer, ClaimedQuestion, NewDocument, Recognised, Stage
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

TEXTS = ("Anna met Ben in Oslo", "nobody is named here", "Anna Lind sings", "nor here")
STAGES: tuple[Stage, ...] = ("recognise", "classify", "aggregate")
MAX_ATTEMPTS = 1000
"""Of a question: this is about what is lost and doubled, not about poison."""

_LEASES_END = text("UPDATE questions SET lease_until = now() WHERE state = 'claimed'")
_TIME_PASSES = (
    text("UPDATE questions SET not_before = now() WHERE state = 'pending'"),
    text("UPDATE documents SET not_before = now() WHERE state <> 'complete'"),
)

Fate = Literal["done", "crashed", "late"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of storm and calm came to. `doubled` counts documents that were finished twice, questions
    that two callers held at once, and writes under a fence that was no longer the question's."""

    accepted: int
    final: int
    lost: int
    doubled: int
    wrong: int


class Storm:
    """Producers, relay, workers of every stage and a reader of the feed, a step of one of them at a time."""

    def __init__(self, engine: Engine, *, seed: int = 0, unprotected: bool = False) -> None:
        """`unprotected`: where a protection is off, a unique key may make a worker fail."""
        self._engine, self._may_fail = engine, (IntegrityError,) if unprotected else ()
        self._random = random.Random(seed)
        self._source = f"storm-{seed}"
        self._store, self._outbox, self._reader = (
            PostgresStore(engine),
            PostgresOutbox(engine),
            PostgresReader(engine),
        )
        self._messages: list[tuple[Stage, int]] = []
        self._late: list[Callable[[], object]] = []
        self._fences: dict[int, int] = {}
        self._held: set[int] = set()
        self._cursor = self._doubled = self._number = 0
        self._stormy = True
        self.record = RunRecord(clock=FakeClock().monotonic)

    def run(self, steps: int = 250) -> Outcome:
        """So many steps in the storm, then calm until nothing moves any more; what came of it."""
        weights = {
            self.produce: 1,
            self.relay: 4,
            self.work: 12,
            self.come_back: 2,
            self.end_leases: 2,
            self.sweep: 2,
            self.read: 1,
        }
        for _ in range(steps):
            (step,) = self._random.choices(list(weights), list(weights.values()))
            step()
        return self.calm()

    def calm(self) -> Outcome:
        """No more faults: let everything be finished that can be."""
        self._stormy = False
        while self._late:
            self.come_back()
        for _ in range(8):
            self.end_leases()
            self.sweep()
            self.relay()
            while self._messages:
                self.work()
        self.read()
        return self._outcome()

    def produce(self) -> None:
        """A few posts, some of which were sent before."""
        first = max(self._number - self._random.randint(0, 1), 0)
        numbers = range(first, first + 3)
        self._number = first + 3
        new = [NewDocument(self._source, str(number), TEXTS[number % len(TEXTS)]) for number in numbers]
        items = [{"status": "accepted", "id": one.document_id} for one in self._store.accept(new)]
        self.record.submitted(items, [post.text for post in new], sent_at=0.0)

    def relay(self) -> None:
        """What is due goes to the broker, which in the storm loses, doubles and reorders."""
        for stage in STAGES:
            self._outbox.publish_due(stage, limit=50, send=partial(self._send, stage))
        self._random.shuffle(self._messages)

    def _send(self, stage: Stage, ids: Sequence[int]) -> None:
        for id_ in ids:
            copies = self._random.choice([0, 1, 1, 1, 2]) if self._stormy else 1
            self._messages += [(stage, id_)] * copies

    def sweep(self) -> None:
        """Everything that was published and is not finished counts as lost."""
        self._outbox.sweep(republish_after_s=0.0, deadline_s=1e6, document_deadline_s=1e6)

    def end_leases(self) -> None:
        """Time passes until every lease has ended and all that was put off is due."""
        self._held.clear()
        with self._engine.begin() as connection:
            for statement in (_LEASES_END, *_TIME_PASSES):
                connection.execute(statement)

    def work(self) -> None:
        """A worker takes a message and gets it done, dies over it, or is so slow that it comes back late."""
        if self._messages:
            stage, id_ = self._messages.pop()
            {"recognise": self._recognise, "classify": self._classify, "aggregate": self._join}[stage](id_)

    def come_back(self) -> None:
        """A worker that was too slow writes at last."""
        if self._late:
            self._write(self._late.pop(self._random.randrange(len(self._late))))

    def read(self) -> None:
        """The reader goes on where it was."""
        while items := self._reader.feed(after=self._cursor, limit=100):
            self._cursor = items[-1].cursor
            views = [(item.cursor, item.document) for item in items if item.document]
            self._doubled += sum(view.revision > 1 for _, view in views)
            self.record.read(
                {"cursor": cursor, "document": {**asdict(view), "id": view.document_id}}
                for cursor, view in views
            )

    def _recognise(self, document_id: int) -> None:
        for stored in self._store.texts([document_id]):
            (found,) = TinyRecogniser().recognise([stored.text])
            unsure = tuple((entity,) for entity in found.entities if entity.probability < 0.7)
            result = Recognised(document_id, "tiny", found, unsure)
            self._finish(partial(self._store.record_recognised, [result]))

    def _classify(self, question_id: int) -> None:
        claim = claim_one(self._store, question_id, lease_s=3600.0, max_attempts=MAX_ATTEMPTS)
        if claim is not None:
            self._doubled += question_id in self._held
            self._held.add(question_id)
            self._fences[question_id] = claim.fence
            self._finish(partial(self._answer, claim))

    def _answer(self, claim: ClaimedQuestion) -> None:
        labels = dict.fromkeys(claim.candidates, "person")
        answer = Answer(labels, "llm", "p1", "person", 9, 1, replayed=False)
        if record_one(self._store, claim, answer):
            self._held.discard(claim.question_id)
            self._doubled += self._fences[claim.question_id] != claim.fence

    def _join(self, document_id: int) -> None:
        for found in self._store.joinable([document_id]):
            entities = link(
                entities=found.entities,
                plausible=found.plausible,
                answers=found.answers,
                unanswered=found.unanswered,
                proposals=found.proposals,
            )
            self._finish(
                partial(self._store.complete, {document_id: entities}, fences={document_id: found.fence})
            )

    def _finish(self, write: Callable[[], object]) -> None:
        fates: list[Fate] = ["done", "done", "crashed", "late", "late"]
        match self._random.choice(fates) if self._stormy else "done":
            case "done":
                self._write(write)
            case "late":
                self._late.append(write)

    def _write(self, write: Callable[[], object]) -> None:
        with suppress(*self._may_fail):
            write()

    def _outcome(self) -> Outcome:
        summary = self.record.summary(missing_from_feed=0)
        return Outcome(
            accepted=summary["accepted"],
            final=summary["final"],
            lost=summary["lost"],
            doubled=summary["doubled"] + self._doubled,
            wrong=summary["wrong"],
        )
