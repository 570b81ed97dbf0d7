"""The store in memory: its ports with the semantics of PostgreSQL, on a given clock."""

from __future__ import annotations

from tests.fakes.store.dead import Dead
from tests.fakes.store.documents import Documents
from tests.fakes.store.erasing import Erasing
from tests.fakes.store.joining import Joining
from tests.fakes.store.ledger import Ledger
from tests.fakes.store.outbox import Outbox
from tests.fakes.store.questions import Questions
from tests.fakes.store.reader import Reader

__all__ = ["FakeStore"]


class FakeStore(Documents, Questions, Joining, Outbox, Dead, Erasing, Reader, Ledger):
    """ports.Store, .Outbox, .Erasure, .Reader and .Ledger; for one thread, and never unavailable."""
