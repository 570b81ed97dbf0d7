"""The store in memory: documents erased with all that belongs to them."""

from __future__ import annotations

from collections.abc import Collection

from tests.fakes.store.memory import Memory
from tests.fakes.store.rows import Document, as_time
from workers.ports import Erased, Selection


class Erasing(Memory):
    """ports.Erasure. Tombstones stay in the feed, and nothing is ever parked here."""

    def count(self, selection: Selection) -> int:
        return len(self._selected(selection))

    def erase(self, selection: Selection, *, after: int, limit: int) -> Erased:
        chosen = [document.id for document in self._selected(selection) if document.id > after][:limit]
        return Erased(self._erase(chosen), max(chosen, default=after))

    def retire(self, *, older_than_s: float, limit: int) -> int:
        old = [
            document
            for document in self._documents.values()
            if document.state == "complete" and document.accepted_at <= self.now - older_than_s
        ]
        old.sort(key=lambda document: document.accepted_at)
        return self._erase([document.id for document in old[:limit]])

    def _selected(self, selection: Selection) -> list[Document]:
        return [document for _, document in sorted(self._documents.items()) if _is_of(document, selection)]

    def _erase(self, ids: Collection[int]) -> int:
        for id_ in ids:
            document = self._documents.pop(id_)
            questions = {q.id for q in self._questions_of(document)}
            self._cache = {k: v for k, v in self._cache.items() if v.question.id not in questions}
            for question_id in questions:
                del self._questions[question_id]
        for id_ in sorted(ids):
            if any(shown == id_ for shown, _ in self._feed):
                self._feed.append((id_, None))
        return len(ids)


def _is_of(document: Document, selection: Selection) -> bool:
    found = {
        "source": document.new.source,
        "external_id": document.new.external_id,
        "author": document.new.author,
    }
    wanted = {name: value for name in found if (value := getattr(selection, name)) is not None}
    before = selection.accepted_before
    is_before = before is None or as_time(document.accepted_at) < before
    return is_before and wanted.items() <= found.items()
