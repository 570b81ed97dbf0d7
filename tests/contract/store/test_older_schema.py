"""A database of an older version, with documents in every state, is migrated while somebody writes to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event, text

from linkner.spans import Recognition
from tests.fakes.clock import FakeClock
from tests.support.one_question import claim_one, record_one
from workers.handlers.aggregate import AggregateDocuments
from workers.ports import Answer, Recognised
from workers.store.database import connect
from workers.store.migrating import migrate, newest_revision
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

_DOCUMENTS = {  # what documents with that external id look like, in columns that all versions know
    "accepted": "'accepted', NULL, NULL",
    "published": "'accepted', now() - interval '1 hour', NULL",
    "asked": "'recognised', NULL, 'm'",
    "being-asked": "'recognised', NULL, 'm'",
    "half-answered": "'recognised', NULL, 'm'",
    "given-up": "'classified', NULL, 'm'",
    "complete": "'complete', NULL, 'm'",
}
_QUESTIONS = (  # (of which document, state, lease, start, end)
    ("asked", "pending", "NULL", 0, 4),
    ("being-asked", "claimed", "now() - interval '1 minute'", 0, 4),
    ("half-answered", "answered", "NULL", 0, 4),
    ("half-answered", "pending", "NULL", 8, 12),
    ("given-up", "dead", "NULL", 0, 4),
    ("complete", "answered", "NULL", 0, 4),
)
_TEXT = "Anna in Oslo"


def fill(connection: Connection) -> None:
    """Documents in every state, as the first version wrote them."""
    for name, columns in _DOCUMENTS.items():
        connection.execute(
            text(
                "INSERT INTO documents (state, published_at, model, source, external_id, text)"
                f" VALUES ({columns}, 'old', :name, :text)"
            ),
            {"name": name, "text": _TEXT},
        )
    for name, state, lease, start, end in _QUESTIONS:
        values = {"name": name, "state": state, "start": start, "end": end}
        values["question"] = connection.execute(
            text(
                "INSERT INTO questions (document_id, state, lease_until, fence)"
                f" SELECT id, :state, {lease}, 1 FROM documents WHERE external_id = :name RETURNING id"
            ),
            values,
        ).scalar_one()
        connection.execute(
            text(
                'INSERT INTO spans (document_id, start, "end", role, label, probability, uncertainty, scores,'
                " question_id) SELECT id, :start, :end, 'entity', 'person', 0.5, 0.5,"
                """ '{"person": 0.5, "O": 0.5}', :question FROM documents WHERE external_id = :name"""
            ),
            values,
        )
        if state == "answered":
            connection.execute(
                text(
                    'INSERT INTO answers (question_id, start, "end", document_id, label, model,'
                    " prompt_version, raw, prompt_tokens, completion_tokens, replayed)"
                    " SELECT :question, :start, :end, id,"
                    " 'location', 'm', 'v', 'location', 1, 1, true FROM documents WHERE external_id = :name"
                ),
                values,
            )
    connection.execute(
        text(
            'INSERT INTO entities (document_id, start, "end", label, text, decided_by, probability,'
            " uncertainty, replayed, revision) SELECT id, 0, 4, 'location', 'Anna', 'llm', 0.5, 0.5, true, 1"
            " FROM documents WHERE external_id = 'complete'"
        )
    )
    connection.execute(
        text("INSERT INTO feed (document_id, revision) SELECT id, 1 FROM documents WHERE state = 'complete'")
    )


class Writer:
    """A gateway and a relay of the first version, which go on while the schema changes."""

    def __init__(self, engine: Engine) -> None:
        self.written = 0
        self.errors: list[Exception] = []
        self._engine = engine
        self._stop = threading.Event()

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._engine.begin() as connection:
                    self._write(connection)
                self.written += 1
            except Exception as error:
                self.errors.append(error)

    def _write(self, connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO documents (source, external_id, text) VALUES ('new', :id, :text)"),
            {"id": f"{self.written}-{len(self.errors)}", "text": _TEXT},
        )
        connection.execute(text("UPDATE documents SET published_at = now() WHERE external_id = 'published'"))
        connection.execute(text("UPDATE questions SET published_at = now() WHERE state = 'pending'"))

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def finish(engine: Engine) -> None:
    """Everything that workers of this version do, until nothing is due."""
    store, outbox = PostgresStore(engine), PostgresOutbox(engine)

    def recognise(ids: Sequence[int]) -> None:
        store.record_recognised([Recognised(id, "local", Recognition((), ()), ()) for id in ids])

    def classify(ids: Sequence[int]) -> None:
        for id in ids:
            claim = claim_one(store, id, lease_s=60.0, max_attempts=5)
            if claim is not None:
                labels = dict.fromkeys(claim.candidates, "location")
                record_one(store, claim, Answer(labels, "m", "v", "location", 1, 1, replayed=True))

    aggregate = AggregateDocuments(store=store, clock=FakeClock(), max_attempts=5)
    for _ in range(3):
        outbox.sweep(republish_after_s=0.0, deadline_s=3600.0, document_deadline_s=86_400.0)
        for stage, work in (("recognise", recognise), ("classify", classify), ("aggregate", aggregate)):
            sent: list[int] = []
            outbox.publish_due(stage, limit=100_000, send=sent.extend)
            work(sent)


@pytest.mark.parametrize("before", [1, int(newest_revision()) - 1])
def test_work_of_an_older_version_is_finished_and_its_writers_are_not_disturbed(
    empty_database_url: str, before: int
) -> None:
    migrate(empty_database_url, revision=f"{before:04}")
    engine = connect(empty_database_url)
    with engine.begin() as connection:
        fill(connection)
    writer = Writer(engine)
    with writer.running():
        migrate(empty_database_url)
    assert writer.errors == []
    assert writer.written > 0, "nobody wrote while the schema changed"
    finish(engine)
    reader = PostgresReader(engine)
    reader.ping()
    labels = {}
    for name in _DOCUMENTS:
        view = reader.find(source="old", external_id=name)
        assert view is not None
        assert view.status == "final"
        labels[name] = [entity.label for entity in view.entities]
    assert labels == {
        "accepted": [],
        "published": [],
        "asked": ["location"],
        "being-asked": ["location"],
        "half-answered": ["location", "location"],
        "given-up": ["person"],
        "complete": ["location"],
    }
    counts = reader.counts()
    assert counts.documents == {"complete": len(_DOCUMENTS) + writer.written}
    engine.dispose()


def test_no_step_reads_a_table_while_it_keeps_writers_out(empty_database_url: str) -> None:
    """A check that comes with its column would: PostgreSQL reads all rows under the lock that adds it."""
    migrate(empty_database_url, revision="0001")
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        migrate(empty_database_url)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    altering = [statement for statement in statements if statement.startswith("ALTER TABLE")]
    assert any("VALIDATE CONSTRAINT" in statement for statement in altering)
    assert [s for s in altering if "CHECK" in s and not s.endswith("NOT VALID")] == []
