"""The tables, as SQLModel declares them. `migrations/` builds them; a test holds the two equal.

Offsets are Unicode code points, half-open. Times are the database's own clock. An id is due for the relay
where `published_at` is null and `not_before` has come: documents in the queue of their state, questions in
`classify`.
"""

from __future__ import annotations

from workers.store.tables.columns import Table
from workers.store.tables.costs import CallRow, SpendingRow
from workers.store.tables.documents import DocumentRow, EntityRow, FeedRow, SpanRow
from workers.store.tables.operation import ApiKeyRow, ParkedMessageRow, TroubleRow
from workers.store.tables.questions import AnswerRow, BatchRow, CachedAnswerRow, QuestionRow

__all__ = [
    "AnswerRow",
    "ApiKeyRow",
    "BatchRow",
    "CachedAnswerRow",
    "CallRow",
    "DocumentRow",
    "EntityRow",
    "FeedRow",
    "ParkedMessageRow",
    "QuestionRow",
    "SpanRow",
    "SpendingRow",
    "Table",
    "TroubleRow",
]
