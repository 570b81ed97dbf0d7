"""How long work waits, in memory and in PostgreSQL, and what the stages ran into."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from linkner.errors import UnavailableError
from tests.contract.store.scene import (
    ANNA,
    Ports,
    accept_one,
    answer,
    ask,
    claimed,
    due,
    recognised,
    scored,
)
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.support.one_question import record_one
from workers.ports import Waits
from workers.store.batching import PostgresBatches
from workers.store.database import connect
from workers.store.reader import PostgresReader
from workers.store.troubles import EVERY_S, PostgresTroubles

NONE = Waits(0.0, 0.0)
_AGE = """
    UPDATE {} SET not_before = not_before - interval '60 s', published_at = published_at - interval '60 s'
"""


@pytest.fixture
def a_minute_later(ports: Ports, request: pytest.FixtureRequest) -> Callable[[], None]:
    """As if what is there had waited for a minute."""

    def pass_time() -> None:
        if isinstance(ports.store, FakeStore):
            ports.store._clock.now += 60.0
            return
        engine: Engine = request.getfixturevalue("engine")
        with engine.begin() as connection:
            for table in ("documents", "questions"):
                connection.execute(text(_AGE.format(table)))

    return pass_time


class TestWaits:
    def test_nothing_waits_in_an_empty_store(self, ports: Ports) -> None:
        backlog = ports.reader.backlog()
        assert backlog.waits == {"recognise": NONE, "classify": NONE, "aggregate": NONE}
        assert (backlog.batch_due_s, backlog.unfinished) == (0.0, 0)

    def test_what_is_put_off_or_finished_with_does_not_wait(self, ports: Ports) -> None:
        _, (question,) = ask(ports, [scored(ANNA)])
        ports.store.release(claimed(ports, question), delay_s=3600, error=None)
        backlog = ports.reader.backlog()
        assert backlog.waits == {"recognise": NONE, "classify": NONE, "aggregate": NONE}
        assert backlog.unfinished == 1


@pytest.mark.parametrize("is_published", [False, True])
def test_documents_wait_for_recognition_and_for_the_join(
    ports: Ports, a_minute_later: Callable[[], None], is_published: bool
) -> None:
    accept_one(ports, "waits")
    ports.store.record_recognised([recognised(accept_one(ports, "to be joined"))])
    if is_published:
        due(ports, "recognise")
        due(ports, "aggregate")
    a_minute_later()
    waits = ports.reader.backlog().waits
    for stage in ("recognise", "aggregate"):
        assert _about(waits[stage]) == ((0, 60) if is_published else (60, 0))
    assert waits["classify"] == NONE


def test_the_wait_for_the_join_begins_with_the_last_answer(
    ports: Ports, a_minute_later: Callable[[], None]
) -> None:
    unasked = accept_one(ports, "unasked")
    _, (question,) = ask(ports, [scored(ANNA)])
    a_minute_later()
    ports.store.record_recognised([recognised(unasked)])
    record_one(ports.store, claimed(ports, question), answer({ANNA: "person"}))
    assert _about(ports.reader.backlog().waits["aggregate"]) == (0, 0)
    assert due(ports, "aggregate")


def test_questions_wait_until_they_are_claimed(ports: Ports, a_minute_later: Callable[[], None]) -> None:
    _, (question,) = ask(ports, [scored(ANNA)])
    a_minute_later()
    assert _about(ports.reader.backlog().waits["classify"]) == (0, 60)
    claimed(ports, question)
    assert ports.reader.backlog().waits["classify"] == NONE


def test_questions_wait_for_a_batch(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO documents (source, external_id, text, state)"
                " VALUES ('s', '1', 'x', 'recognised')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO questions (document_id, lane, not_before)"
                " SELECT id, 'batch', now() - interval '2 hours' FROM documents"
            )
        )
    assert round(PostgresReader(engine).backlog().batch_due_s, -2) == 7200


def test_the_wait_for_another_batch_begins_when_the_first_one_is_closed(engine: Engine) -> None:
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO documents (source, external_id, text, state) VALUES ('s', '1', 'x', 'recognised')",
            "INSERT INTO batches (id, state) VALUES (7, 'submitted')",
            "INSERT INTO questions (document_id, lane, batch_id, not_before)"
            " SELECT id, 'batch', 7, now() - interval '2 hours' FROM documents",
        ):
            connection.execute(text(statement))
    PostgresBatches(engine).close(7, error="expired")
    assert PostgresReader(engine).backlog().batch_due_s < 60


class TestTroubles:
    def test_the_last_one_of_each_stage_is_kept(self, engine: Engine) -> None:
        clock = FakeClock()
        troubles = PostgresTroubles(engine, clock=clock, start=lambda work: work())
        for stage, error in (("relay", "first"), ("llm", "401\0"), ("relay", "too soon after it")):
            troubles.note(stage, UnavailableError(error))
        assert _kept(engine) == {"relay": "first", "llm": "401\ufffd"}
        clock.now += EVERY_S
        troubles.note("relay", UnavailableError("later"))
        assert _kept(engine)["relay"] == "later"
        assert all(0 <= one.age_s < 60 for one in PostgresReader(engine).backlog().troubles)

    def test_a_store_that_is_away_is_no_reason_to_fail(self) -> None:
        engine = connect("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
        PostgresTroubles(engine, clock=FakeClock(), start=lambda work: work()).note(
            "relay", UnavailableError("away")
        )
        engine.dispose()

    def test_whoever_notes_one_does_not_wait_for_the_store(self, engine: Engine) -> None:
        started: list[object] = []
        PostgresTroubles(engine, clock=FakeClock(), start=started.append).note(
            "relay", UnavailableError("away")
        )
        assert len(started) == 1
        assert _kept(engine) == {}


def _about(waits: Waits) -> tuple[int, int]:
    return round(waits.due_s, -1), round(waits.published_s, -1)


def _kept(engine: Engine) -> dict[str, str]:
    return {one.stage: one.error for one in PostgresReader(engine).backlog().troubles}
