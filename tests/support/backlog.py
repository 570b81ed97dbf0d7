"""A store with nothing under way, as its reader tells it."""

from __future__ import annotations

from workers.ports import Backlog, Waits

IDLE = Backlog(
    documents={},
    questions={},
    dead_documents={},
    parked=0,
    oldest_unfinished_s=0.0,
    unfinished=0,
    waits=dict.fromkeys(("recognise", "classify", "aggregate"), Waits(0.0, 0.0)),
    batch_due_s=0.0,
    troubles=(),
)
