"""The Reader and Ledger ports on PostgreSQL: what consumers and operators see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

from sqlalchemy import Connection, Engine, Row, TextClause, text

from linkner.errors import UnavailableError
from workers.ports import (
    Backlog,
    CacheCounts,
    CostRow,
    CostsBy,
    Counts,
    DocumentView,
    EntityView,
    FeedItem,
)
from workers.store import answer_cache, spending
from workers.store.backlog import DEAD_DOCUMENTS, OLDEST_UNFINISHED_S, PARKED, backlog, by_name, unfinished
from workers.store.database import in_transaction

_DOCUMENT_COLUMNS = """
    documents.id, documents.source, documents.external_id, documents.text, documents.created_at,
    documents.metadata, documents.author, documents.accepted_at, documents.completed_at, documents.state,
    documents.model, documents.revision, documents.reason
"""

_BY_ID = text(f"SELECT {_DOCUMENT_COLUMNS} FROM documents WHERE id = :document_id")
_BY_KEY = text(f"""
    SELECT {_DOCUMENT_COLUMNS} FROM documents WHERE source = :source AND external_id = :external_id
""")
_FEED = text(f"""
    SELECT feed.seq, feed.document_id, feed.erased, {_DOCUMENT_COLUMNS}
    FROM feed LEFT JOIN documents ON documents.id = feed.document_id
    WHERE feed.seq > :after
        AND (feed.erased OR documents.state = 'complete' AND feed.revision = documents.revision)
    ORDER BY feed.seq LIMIT :limit
""")

_ANSWERED = text(f"""
    SELECT {_DOCUMENT_COLUMNS} FROM documents
    WHERE id < :before AND state = 'complete' AND reason IS NULL
        AND EXISTS (SELECT FROM questions WHERE document_id = documents.id)
        AND NOT EXISTS (SELECT FROM questions WHERE document_id = documents.id AND state <> 'answered')
    ORDER BY id DESC LIMIT :limit
""")

# Until a document is complete its entities are those that the local model predicted.
_ENTITIES = text("""
    SELECT document_id, start, "end", text, label, decided_by, reason, probability, uncertainty,
        llm_model, prompt_version, replayed, cached
    FROM entities WHERE document_id = ANY(CAST(:final AS bigint[]))
    UNION ALL
    SELECT spans.document_id, spans.start, spans."end",
        substring(documents.text FROM spans.start + 1 FOR spans."end" - spans.start),
        spans.label, 'local', NULL, spans.probability, spans.uncertainty, NULL, NULL, false, false
    FROM spans JOIN documents ON documents.id = spans.document_id
    WHERE spans.document_id = ANY(CAST(:provisional AS bigint[])) AND spans.role = 'entity'
    ORDER BY document_id, start
""")

_DOCUMENT_STATES = text("SELECT state AS name, count(*) AS n FROM documents GROUP BY state")
_QUESTION_STATES = text("SELECT state AS name, count(*) AS n FROM questions GROUP BY state")
_DEAD_REASONS = text("""
    SELECT reason AS name, count(*) AS n FROM questions WHERE state = 'dead' GROUP BY reason
""")
_DECIDED_BY = text("SELECT decided_by AS name, count(*) AS n FROM entities GROUP BY decided_by")
_REPLAYED = text("SELECT count(DISTINCT question_id) FROM answers WHERE replayed")
_CACHED = text("SELECT count(DISTINCT question_id) FROM answers WHERE cached")

_REVISION = text("SELECT version_num FROM alembic_version")

Status = Literal["accepted", "provisional", "final"]
_STATUS: Mapping[str, Status] = {
    "accepted": "accepted",
    "recognised": "provisional",
    "classified": "provisional",
    "complete": "final",
}


class PostgresReader:
    """Read-only view of PostgreSQL; thread-safe.

    Every method raises UnavailableError where the database cannot answer now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Documents and their entities are two statements: without one snapshot a replay may come between.
        self._snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def document(self, document_id: int) -> DocumentView | None:
        """The document, or None where there is none of this id."""
        return self._one(_BY_ID, {"document_id": document_id})

    def find(self, *, source: str, external_id: str) -> DocumentView | None:
        """The document that its producer calls so, or None."""
        return self._one(_BY_KEY, {"source": source, "external_id": external_id})

    def _one(self, query: TextClause, values: Mapping[str, object]) -> DocumentView | None:
        views = in_transaction(self._snapshot, _read, query, values)
        return views[0] if views else None

    def feed(self, *, after: int, limit: int) -> list[FeedItem]:
        """See the port. A revision that is no longer its document's is left out."""
        return in_transaction(self._snapshot, _feed, after=after, limit=limit)

    def answered(self, *, before: int, limit: int) -> list[DocumentView]:
        """See the port."""
        return in_transaction(self._snapshot, _read, _ANSWERED, {"before": before, "limit": limit})

    def counts(self) -> Counts:
        """See the port."""
        return in_transaction(self._engine, _counts)

    def backlog(self) -> Backlog:
        """See the port. Each part has an index of its own."""
        return in_transaction(self._engine, backlog)

    def cache(self) -> CacheCounts:
        """See the port."""
        return in_transaction(self._engine, answer_cache.counts)

    def costs(self, by: CostsBy, *, within_s: float) -> list[CostRow]:
        """See `Ledger.costs`."""
        return in_transaction(self._engine, spending.costs, by, within_s=within_s)

    def spent_today(self) -> Mapping[str, Decimal]:
        """See `Ledger.spent_today`."""
        return in_transaction(self._engine, spending.spent_today)

    def unfinished(self, *, up_to: int | None = None) -> int:
        """See the port."""
        return in_transaction(self._engine, unfinished, up_to=up_to)

    def ping(self) -> None:
        """See the port. A newer schema will do: it lacks nothing that the version before it uses."""
        from workers.store.migrating import newest_revision  # loads Alembic, which only the gateway is to do

        found = in_transaction(self._engine, _revision)
        if found is None or found < newest_revision():
            raise UnavailableError(
                "the database's schema is older than this version needs",
                expected=f"revision {newest_revision()}",
                got=f"revision {found}" if found else "no schema",
                hint="run `linkner migrate`",
            )


def _read(connection: Connection, query: TextClause, values: Mapping[str, object]) -> list[DocumentView]:
    return _views(connection, connection.execute(query, values).all())


def _feed(connection: Connection, *, after: int, limit: int) -> list[FeedItem]:
    rows = connection.execute(_FEED, {"after": after, "limit": limit}).all()
    views = iter(_views(connection, [row for row in rows if not row.erased]))
    return [FeedItem(row.seq, row.document_id, None if row.erased else next(views)) for row in rows]


def _revision(connection: Connection) -> str | None:
    return connection.execute(_REVISION).scalar_one_or_none()


def _views(connection: Connection, documents: Sequence[Row[tuple[object, ...]]]) -> list[DocumentView]:
    """Rows of documents with their entities, in order."""
    final = [row.id for row in documents if _STATUS[row.state] == "final"]
    provisional = [row.id for row in documents if _STATUS[row.state] == "provisional"]
    entities = defaultdict(list)
    for row in connection.execute(_ENTITIES, {"final": final, "provisional": provisional}):
        entities[row.document_id].append(row)
    return [_document(row, entities[row.id]) for row in documents]


def _document(row: Row[tuple[object, ...]], entities: Sequence[Row[tuple[object, ...]]]) -> DocumentView:
    return DocumentView(
        document_id=row.id,
        source=row.source,
        external_id=row.external_id,
        text=row.text,
        created_at=row.created_at,
        metadata=row.metadata,
        author=row.author,
        accepted_at=row.accepted_at,
        completed_at=row.completed_at,
        status=_STATUS[row.state],
        revision=row.revision,
        reason=row.reason,
        entities=tuple(_entity(entity, model=row.model) for entity in entities),
    )


def _entity(row: Row[tuple[object, ...]], *, model: str) -> EntityView:
    return EntityView(
        start=row.start,
        end=row.end,
        text=row.text,
        label=row.label,
        decided_by=row.decided_by,
        reason=row.reason,
        probability=row.probability,
        uncertainty=row.uncertainty,
        model=model,
        llm_model=row.llm_model,
        prompt_version=row.prompt_version,
        replayed=row.replayed,
        cached=row.cached,
    )


def _counts(connection: Connection) -> Counts:
    return Counts(
        documents=by_name(connection, _DOCUMENT_STATES),
        questions=by_name(connection, _QUESTION_STATES),
        dead_reasons=by_name(connection, _DEAD_REASONS),
        dead_documents=by_name(connection, DEAD_DOCUMENTS),
        parked=connection.execute(PARKED).scalar_one(),
        decided_by=by_name(connection, _DECIDED_BY),
        replayed=connection.execute(_REPLAYED).scalar_one(),
        cached=connection.execute(_CACHED).scalar_one(),
        oldest_unfinished_s=connection.execute(OLDEST_UNFINISHED_S).scalar_one(),
    )
