"""What ended without its result: listed, tried again, or taken off the list.

A dead question has left its candidates to the local model; a dead document has no entities. Both are final:
nothing waits for them. Trying again opens a finished document once more, and its next revision replaces the
one before. A message that no worker could use is dead too, until it is sent again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Engine, TextClause, text

from linkner.errors import InputError
from workers.ports import UNUSABLE
from workers.store.database import in_transaction
from workers.store.sql import notify

Kind = Literal["document", "question", "message"]
_REF = re.compile(r"(document|question|message):(\d{1,18})", re.ASCII)


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
        return cls(cast(Kind, match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class DeadItem:
    """One dead thing, and the document that it belongs to; a message has its queue as `source`.

    `text` is the document's, or the message as JSON.
    """

    ref: Ref
    document_id: int | None
    source: str
    external_id: str | None
    reason: str
    last_error: str | None
    attempts: int
    ended_at: datetime
    text: str


_DEAD = {
    "document": """
        SELECT 'document' AS kind, id, id AS document_id, source, external_id, reason, last_error,
            CASE WHEN recognised_at IS NULL THEN attempts ELSE join_attempts END AS attempts,
            completed_at AS ended_at, text, dropped_at
        FROM documents WHERE state = 'complete' AND reason IS NOT NULL
    """,
    "question": """
        SELECT 'question' AS kind, questions.id, document_id, source, external_id, questions.reason,
            questions.last_error, questions.attempts, questions.ended_at, text, questions.dropped_at
        FROM questions JOIN documents ON documents.id = document_id WHERE questions.state = 'dead'
    """,
    "message": f"""
        SELECT 'message' AS kind, id, CAST(NULL AS bigint) AS document_id, queue AS source,
            CAST(NULL AS text) AS external_id, '{UNUSABLE}' AS reason, error AS last_error, times AS attempts,
            parked_at AS ended_at, body AS text, CAST(NULL AS timestamptz) AS dropped_at
        FROM parked_messages
    """,
}
"""What is dead, each kind with the same columns."""

_LISTED = """
    (
        SELECT * FROM ({dead}) AS dead
        WHERE dropped_at IS NULL AND ended_at <= coalesce(CAST(:before AS timestamptz), now())
            AND reason = coalesce(:reason, reason)
        ORDER BY ended_at DESC LIMIT :limit
    )
"""
_LIST = text(f"""
    SELECT * FROM ({" UNION ALL ".join(_LISTED.format(dead=dead) for dead in _DEAD.values())}) AS dead
    ORDER BY ended_at DESC, kind, id DESC LIMIT :limit
""")
_SHOW = {kind: text(f"SELECT * FROM ({dead}) AS dead WHERE id = :id") for kind, dead in _DEAD.items()}

_REPLAY_DOCUMENTS = text("""
    UPDATE documents
    SET state = CASE WHEN recognised_at IS NULL THEN 'accepted' ELSE 'classified' END,
        attempts = 0, join_attempts = 0, reason = NULL, completed_at = NULL, dropped_at = NULL,
        published_at = NULL, not_before = now(), replayed_at = now()
    WHERE id IN (
        SELECT id FROM documents
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'complete' AND reason IS NOT NULL
        ORDER BY id FOR UPDATE
    )
    RETURNING id
""")

# The lock order of `workers.store.asking`: the documents, then their questions.
_LOCK_DOCUMENTS = text("""
    SELECT id FROM documents
    WHERE id IN (SELECT document_id FROM questions WHERE id = ANY(CAST(:ids AS bigint[])))
    ORDER BY id FOR UPDATE
""")
# A question's time began when it was last replayed, else with its document: a replay before recognition, or
# its acceptance. A document that was replayed after recognition kept its questions' deadlines.
_REPLAY_QUESTIONS = text("""
    UPDATE questions
    SET state = 'pending', fence = fence + 1, reason = NULL,
        attempts = CASE WHEN :keep_attempts THEN questions.attempts ELSE 0 END, ended_at = NULL,
        dropped_at = NULL, published_at = NULL, not_before = now(), created_at = now(),
        deadline_at = now() + (deadline_at - CASE
            WHEN questions.created_at > recognised_at THEN questions.created_at
            WHEN replayed_at < recognised_at THEN replayed_at
            ELSE accepted_at
        END)
    FROM documents
    WHERE questions.id = ANY(CAST(:ids AS bigint[])) AND questions.state = 'dead'
        AND documents.id = document_id
    RETURNING document_id
""")
_OPEN_AGAIN = text("""
    UPDATE documents
    SET state = 'recognised', completed_at = NULL, published_at = NULL, join_attempts = 0, reason = NULL,
        dropped_at = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state IN ('classified', 'complete')
""")
# A reader of the feed would step over these rows one by one, each time. Their documents' next revisions come
# with cursors of their own.
_LEAVE_FEED = text("DELETE FROM feed WHERE document_id = ANY(CAST(:ids AS bigint[]))")
_REMOVE_ENTITIES = text("DELETE FROM entities WHERE document_id = ANY(CAST(:ids AS bigint[]))")

_LOCK_MESSAGES = text("""
    SELECT id, queue, body FROM parked_messages WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE
""")
_REMOVE_MESSAGES = text("DELETE FROM parked_messages WHERE id = ANY(CAST(:ids AS bigint[]))")

SendAgain = Callable[[str, Any], None]
"""Puts a message (decoded JSON) on the queue of that name."""

_DROP = {
    "document": text("""
        UPDATE documents SET dropped_at = now()
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'complete' AND reason IS NOT NULL
            AND dropped_at IS NULL
    """),
    "message": _REMOVE_MESSAGES,
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

    def replay(self, refs: Collection[Ref], *, send: SendAgain) -> int:
        """Have these tried again, with all their attempts and a new deadline; how many were dead.

        `send` takes the messages among them, which are then forgotten here; what it raises ends the replay of
        all of them.
        """
        return in_transaction(self._engine, _replay, refs, send)

    def drop(self, refs: Collection[Ref]) -> int:
        """Take these off the list; how many were on it. Documents stay as they are, messages are gone."""
        return in_transaction(self._engine, _drop, refs)


def _items(connection: Connection, query: TextClause, values: Mapping[str, object]) -> list[DeadItem]:
    return [
        DeadItem(Ref(row.kind, row.id), *row[2:-1])  # the fields are in the columns' order
        for row in connection.execute(query, values)
    ]


def _replay(connection: Connection, refs: Collection[Ref], send: SendAgain) -> int:
    documents = connection.execute(_REPLAY_DOCUMENTS, {"ids": _ids(refs, "document")}).scalars().all()
    connection.execute(_LEAVE_FEED, {"ids": list(documents)})
    questions = replay_questions(connection, _ids(refs, "question"))
    messages = _send_again(connection, _ids(refs, "message"), send)
    notify(connection, ["recognise", "classify", "aggregate"])
    return len(documents) + questions + messages


def _send_again(connection: Connection, ids: Sequence[int], send: SendAgain) -> int:
    rows = connection.execute(_LOCK_MESSAGES, {"ids": ids}).all()
    for row in rows:
        send(row.queue, json.loads(row.body))
    return connection.execute(_REMOVE_MESSAGES, {"ids": ids}).rowcount if rows else 0


def replay_questions(connection: Connection, ids: Sequence[int], *, keep_attempts: bool = False) -> int:
    """Open dead questions and their documents again; how many were dead."""
    connection.execute(_LOCK_DOCUMENTS, {"ids": ids})
    wanted = {"ids": ids, "keep_attempts": keep_attempts}
    replayed = connection.execute(_REPLAY_QUESTIONS, wanted).scalars().all()
    documents = {"ids": sorted(set(replayed))}
    connection.execute(_REMOVE_ENTITIES, documents)
    connection.execute(_LEAVE_FEED, documents)
    connection.execute(_OPEN_AGAIN, documents)
    return len(replayed)


def _drop(connection: Connection, refs: Collection[Ref]) -> int:
    return sum(
        connection.execute(statement, {"ids": _ids(refs, kind)}).rowcount for kind, statement in _DROP.items()
    )


def _ids(refs: Collection[Ref], kind: str) -> list[int]:
    return sorted(ref.id for ref in refs if ref.kind == kind)
