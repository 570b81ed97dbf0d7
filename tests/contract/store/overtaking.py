"""Two transactions that meet, and statements with a protection cut out of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, TextClause, event, text

from linkner.spans import Recognition, ScoredSpan, Span
from tests.support.blocking import wait_until_blocked
from tests.support.one_question import claim_one
from workers.ports import Answer, ClaimedQuestion, NewDocument, Recognised
from workers.store.database import connect
from workers.store.outbox import PostgresOutbox
from workers.store.repository import PostgresStore

ANNA, OSLO = Span(0, 4), Span(8, 12)


@dataclass
class Commit:
    """A commit that is held back: `reached` once it is about to happen, until `go` is set."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def hold(self, connection: Connection) -> None:
        self.reached.set()
        assert self.go.wait(30)


@contextmanager
def engine_held_back(database_url: str) -> Iterator[tuple[Engine, Commit]]:
    """An engine whose commits are held back until the test lets them go."""
    engine, commit = connect(database_url), Commit()
    event.listen(engine, "commit", commit.hold)
    try:
        yield engine, commit
    finally:
        commit.go.set()
        engine.dispose()


@contextmanager
def held_back(database_url: str) -> Iterator[tuple[PostgresStore, Commit]]:
    """A store whose commits are held back until the test lets them go."""
    with engine_held_back(database_url) as (engine, commit):
        yield PostgresStore(engine), commit


def overtake(
    engine: Engine,
    pool: ThreadPoolExecutor,
    commit: Commit,
    *,
    first: Callable[[], object],
    second: Callable[[], object],
) -> tuple[Future[object], Future[object]]:
    """Run `first` up to its commit, then `second` as far as it comes: to its end, or waiting for a lock."""
    one = pool.submit(first)
    assert commit.reached.wait(30)
    two = pool.submit(second)
    wait_until_blocked(engine, or_=two.done)
    return one, two


def scored(span: Span) -> ScoredSpan:
    return ScoredSpan(span, "person", 0.75, 0.5, {"person": 0.75, "O": 0.25})


def documents(store: PostgresStore, count: int) -> list[int]:
    new = [NewDocument("test", str(number), "Anna in Oslo") for number in range(count)]
    return [accepted.document_id for accepted in store.accept(new)]


def classified(store: PostgresStore, count: int) -> list[int]:
    ids = documents(store, count)
    store.record_recognised([Recognised(id_, "local", Recognition((), ()), ()) for id_ in ids])
    return ids


def two_claims(store: PostgresStore, engine: Engine) -> tuple[int, list[ClaimedQuestion]]:
    """A document with two questions, both claimed."""
    (document_id,) = documents(store, 1)
    candidates = (scored(ANNA), scored(OSLO))
    asked = tuple((candidate,) for candidate in candidates)
    store.record_recognised([Recognised(document_id, "local", Recognition(candidates, ()), asked)])
    sent: list[int] = []
    PostgresOutbox(engine).publish_due("classify", limit=10, send=sent.extend)
    claims = [claim_one(store, question_id, lease_s=60, max_attempts=5) for question_id in sent]
    return document_id, [claim for claim in claims if claim is not None]


def reply(claim: ClaimedQuestion) -> Answer:
    labels = dict.fromkeys(claim.candidates, "person")
    return Answer(labels, "llm", "p1", "person", 10, 1, replayed=False)


def without(statement: TextClause, part: str, replacement: str = "") -> TextClause:
    """The statement with a protection cut out of it."""
    assert part in statement.text
    return text(statement.text.replace(part, replacement))
