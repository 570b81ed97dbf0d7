"""Documents on their way in: accepted, and read again for recognition."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, text

from linkner.errors import UnavailableError
from workers.ports import Accepted, NewDocument, StoredText
from workers.store.sql import as_json, columns, notify, storable_error

# The rows come sorted by key: two transactions that insert the same keys in one order cannot deadlock.
INSERT = text("""
    INSERT INTO documents (source, external_id, text, created_at, lane, deadline_s, author, metadata)
    SELECT *
    FROM ROWS FROM (
        unnest(
            CAST(:source AS text[]), CAST(:external_id AS text[]), CAST(:text AS text[]),
            CAST(:created_at AS timestamptz[]), CAST(:lane AS text[]), CAST(:deadline_s AS float8[]),
            CAST(:author AS text[])
        ),
        jsonb_array_elements(CAST(:metadata AS jsonb))
    )
    ON CONFLICT (source, external_id) DO NOTHING
    RETURNING source, external_id, id
""")

_FIND = text("""
    SELECT source, external_id, id, text
    FROM documents
    JOIN unnest(CAST(:source AS text[]), CAST(:external_id AS text[])) AS given (source, external_id)
        USING (source, external_id)
""")

_TEXTS = text("""
    SELECT id AS document_id, source, text, attempts, lane, deadline_s FROM documents
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'accepted'
    ORDER BY id
""")

_BEGIN = text("""
    UPDATE documents SET attempts = attempts + 1
    WHERE id IN (
        SELECT id FROM documents
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'accepted'
        ORDER BY id FOR UPDATE
    )
""")

_DEFER = text("""
    UPDATE documents
    SET published_at = NULL, not_before = now() + make_interval(secs => :delay_s),
        attempts = CASE WHEN CAST(:error AS text) IS NULL THEN given.attempts ELSE documents.attempts END,
        last_error = coalesce(:error, last_error)
    FROM unnest(CAST(:id AS bigint[]), CAST(:attempts AS int[])) AS given (id, attempts)
    WHERE documents.id = given.id AND documents.id IN (
        SELECT id FROM documents
        WHERE id = ANY(CAST(:id AS bigint[])) AND state = 'accepted'
        ORDER BY id FOR UPDATE
    )
""")

Key = tuple[str, str]

_ROUNDS = 5


def accept(connection: Connection, documents: Sequence[NewDocument]) -> list[Accepted]:
    """See `Store.accept`. The first of several documents with one key is the one that is kept."""
    first: dict[Key, NewDocument] = {}
    for document in documents:
        first.setdefault(_key(document), document)
    inserted, stored = _insert_or_find(connection, first)
    if inserted:
        notify(connection, ["recognise"])

    results = []
    for document in documents:
        key = _key(document)
        is_new = key in inserted and document is first[key]
        document_id, kept = stored[key] if key in stored else (inserted[key], first[key].text)
        results.append(Accepted(document_id, duplicate=not is_new, conflict=kept != document.text))
    return results


def _key(document: NewDocument) -> Key:
    return document.source, document.external_id


def _insert_or_find(
    connection: Connection, first: Mapping[Key, NewDocument]
) -> tuple[dict[Key, int], dict[Key, tuple[int, str]]]:
    """What is new, and what was there; a post that is erased between the two statements is new after all."""
    inserted: dict[Key, int] = {}
    stored: dict[Key, tuple[int, str]] = {}
    missing = sorted(first)
    for _ in range(_ROUNDS):
        inserted |= _insert(connection, [first[key] for key in missing])
        stored |= _find(connection, [key for key in missing if key not in inserted])
        missing = [key for key in missing if key not in inserted and key not in stored]
        if not missing:
            return inserted, stored
    raise UnavailableError(
        "posts are erased again and again while they are accepted", got=f"{len(missing)} posts"
    )


def _insert(connection: Connection, documents: Sequence[NewDocument]) -> dict[Key, int]:
    """Ids of those documents that were not there yet."""
    names = ("source", "external_id", "text", "created_at", "lane", "deadline_s", "author", "metadata")
    rows = [tuple(getattr(new, name) for name in names) for new in documents]
    arrays = columns(rows, *names)
    inserted = connection.execute(INSERT, {**arrays, "metadata": as_json(arrays["metadata"])})
    return {(row.source, row.external_id): row.id for row in inserted}


def _find(connection: Connection, keys: Sequence[Key]) -> dict[Key, tuple[int, str]]:
    """Ids and texts of documents that were there before (or came from a transaction that won)."""
    if not keys:
        return {}
    found = connection.execute(_FIND, columns(keys, "source", "external_id"))
    return {(row.source, row.external_id): (row.id, row.text) for row in found}


def texts(connection: Connection, document_ids: Collection[int]) -> list[StoredText]:
    """See `Store.texts`."""
    rows = connection.execute(_TEXTS, {"ids": list(document_ids)})
    return [StoredText(**row._mapping) for row in rows]


def begin_recognition(connection: Connection, document_ids: Collection[int]) -> int:
    """See `Store.begin_recognition`."""
    return connection.execute(_BEGIN, {"ids": list(document_ids)}).rowcount


def defer(
    connection: Connection, documents: Collection[StoredText], *, delay_s: float, error: str | None
) -> int:
    """See `Store.defer`."""
    rows = [(stored.document_id, stored.attempts) for stored in documents]
    values = {**columns(rows, "id", "attempts"), "delay_s": delay_s, "error": storable_error(error)}
    return connection.execute(_DEFER, values).rowcount
