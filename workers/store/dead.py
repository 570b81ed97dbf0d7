"""What ended without its result: listed, tried again, or taken off the list.

A dead question has left its candidates to the local model; a dead document has no entities. Both are final:
nothing waits for them. Trying again opens a finished document once more, and its next revision replaces the
one before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine, TextClause, text

from linkner.errors import InputError
from workers.store.database import in_transaction
from workers.store.sql import notify

Kind = Literal["document", "question"]
_REF = re.compile(r"(document|question):(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Names one dead thing; written `question:12`."""

    kind: Kind
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, written: str) -> Ref:
        """Raises InputError where it names nothing."""
        match = _REF.fullmatch(written)
        if match is None:
            raise InputError("it names nothing", expected="such as document:7 or question:12", got=written)
        kind: Kind = "document" if match[1] == "document" else "question"
        return cls(kind, int(match[2]))


@dataclass(frozen=True, slots=True)
class DeadItem:
    """One dead thing, and the document that it belongs to."""

    ref: Ref
    document_id: int
    source: str
    external_id: str
    reason: str
    last_error: str | None
    attempts: int
    ended_at: datetime
    text: str


_DOCUMENTS = """
    SELECT 'document' AS kind, id, id AS document_id, source, external_id, reason, last_error, attempts,
        completed_at AS ended_at, text
    FROM documents WHERE state = 'complete' AND reason IS NOT NULL
"""
_QUESTIONS = """
    SELECT 'question' AS kind, questions.id, document_id, source, external_id, questions.reason,
        questions.last_error, questions.attempts, questions.ended_at, text
    FROM questions JOIN documents ON documents.id = document_id WHERE questions.state = 'dead'
"""

_LISTED = """
    AND {table}.dropped_at IS NULL AND {ended_at} <= coalesce(CAST(:before AS timestamptz), now())
    AND {table}.reason = coalesce(:reason, {table}.reason)
    ORDER BY {ended_at} DESC LIMIT :limit
"""
_LIST = text(f"""
    SELECT * FROM (
        ({_DOCUMENTS} {_LISTED.format(table="documents", ended_at="completed_at")})
        UNION ALL
        ({_QUESTIONS} {_LISTED.format(table="questions", ended_at="ended_at")})
    ) AS dead
    ORDER BY ended_at DESC, kind, id DESC LIMIT :limit
""")

_SHOW = {
    "document": text(f"{_DOCUMENTS} AND id = :id"),
    "question": text(f"{_QUESTIONS} AND questions.id = :id"),
}

_REPLAY_DOCUMENTS = text("""
    UPDATE documents
    SET state = 'accepted', attempts = 0, reason = NULL, completed_at = NULL, dropped_at = NULL,
        published_at = NULL, not_before = now(), replayed_at = now()
    WHERE id IN (
        SELECT id FROM documents
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'complete' AND reason IS NOT NULL
        ORDER BY id FOR UPDATE
    )
""")

# The lock order of `workers.store.asking`: the documents, then their questions.
_LOCK_DOCUMENTS = text("""
    SELECT id FROM documents
    WHERE id IN (SELECT document_id FROM questions WHERE id = ANY(CAST(:ids AS bigint[])))
    ORDER BY id FOR UPDATE
""")
_REPLAY_QUESTIONS = text("""
    UPDATE questions
    SET state = 'pending', attempts = 0, reason = NULL, ended_at = NULL, dropped_at = NULL,
        published_at = NULL, not_before = now(), created_at = now()
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'dead'
    RETURNING document_id
""")
_OPEN_AGAIN = text("""
    UPDATE documents SET state = 'recognised', completed_at = NULL, published_at = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state IN ('classified', 'complete')
""")
_REMOVE_ENTITIES = text("DELETE FROM entities WHERE document_id = ANY(CAST(:ids AS bigint[]))")

_DROP = {
    "document": text("""
        UPDATE documents SET dropped_at = now()
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'complete' AND reason IS NOT NULL
            AND dropped_at IS NULL
    """),
    "question": text("""
        UPDATE questions SET dropped_at = now()
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'dead' AND dropped_at IS NULL
    """),
}


class PostgresDead:
    """The dead in PostgreSQL; thread-safe.

    Every method raises UnavailableError where the database cannot answer now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def listed(
        self, *, reason: str | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[DeadItem]:
        """The latest first: those of one reason, or that ended by a certain time, where these are given."""
        wanted = {"reason": reason, "before": before, "limit": limit}
        return in_transaction(self._engine, _items, _LIST, wanted)

    def show(self, ref: Ref) -> DeadItem | None:
        """One of them, dropped or not; None where it is not dead."""
        found = in_transaction(self._engine, _items, _SHOW[ref.kind], {"id": ref.id})
        return found[0] if found else None

    def replay(self, refs: Collection[Ref]) -> int:
        """Have these tried again, with all their attempts and a new deadline; how many were dead."""
        return in_transaction(self._engine, _replay, refs)

    def drop(self, refs: Collection[Ref]) -> int:
        """Take these off the list; their documents stay as they are; how many were on it."""
        return in_transaction(self._engine, _drop, refs)


def _items(connection: Connection, query: TextClause, values: Mapping[str, object]) -> list[DeadItem]:
    return [
        DeadItem(Ref(row.kind, row.id), *row[2:])  # the fields are in the columns' order
        for row in connection.execute(query, values)
    ]


def _replay(connection: Connection, refs: Collection[Ref]) -> int:
    documents = connection.execute(_REPLAY_DOCUMENTS, {"ids": _ids(refs, "document")}).rowcount
    questions = _replay_questions(connection, _ids(refs, "question"))
    notify(connection, ["recognise", "classify"])
    return documents + questions


def _replay_questions(connection: Connection, ids: Sequence[int]) -> int:
    connection.execute(_LOCK_DOCUMENTS, {"ids": ids})
    replayed = connection.execute(_REPLAY_QUESTIONS, {"ids": ids}).scalars().all()
    documents = {"ids": sorted(set(replayed))}
    connection.execute(_REMOVE_ENTITIES, documents)
    connection.execute(_OPEN_AGAIN, documents)
    return len(replayed)


def _drop(connection: Connection, refs: Collection[Ref]) -> int:
    return sum(
        connection.execute(statement, {"ids": _ids(refs, kind)}).rowcount for kind, statement in _DROP.items()
    )


def _ids(refs: Collection[Ref], kind: str) -> list[int]:
    return sorted(ref.id for ref in refs if ref.kind == kind)
