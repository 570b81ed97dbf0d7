"""The store's completing of documents, without an aggregator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from linkner.spans import Entity
from workers.ports import Store


def complete(store: Store, entities: Mapping[int, Sequence[Entity]]) -> int:
    """Finish documents as one does that has just read them; how many."""
    fences = {found.document_id: found.fence for found in store.joinable(list(entities))}
    return store.complete(entities, fences=fences)
