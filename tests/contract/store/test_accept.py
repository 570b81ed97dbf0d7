"""Documents are accepted once, in memory and in PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tests.contract.store.scene import TEXT, Ports, accept_one, post
from workers.ports import Accepted, NewDocument


class TestAccept:
    def test_new_documents_get_ids_in_the_order_given(self, ports: Ports) -> None:
        results = ports.store.accept([post("b"), post("a"), post("a", source="other")])
        assert [(result.duplicate, result.conflict) for result in results] == [(False, False)] * 3
        found = [ports.reader.document(result.document_id) for result in results]
        assert [(view.source, view.external_id) for view in found] == [
            ("test", "b"),
            ("test", "a"),
            ("other", "a"),
        ]

    def test_the_same_document_again_is_a_duplicate(self, ports: Ports) -> None:
        first = accept_one(ports)
        assert ports.store.accept([post()]) == [Accepted(first, duplicate=True, conflict=False)]
        assert ports.reader.unfinished() == 1

    def test_another_text_for_the_same_document_is_a_conflict(self, ports: Ports) -> None:
        first = accept_one(ports)
        assert ports.store.accept([post(text="changed")]) == [Accepted(first, duplicate=True, conflict=True)]
        assert ports.reader.document(first).text == TEXT

    def test_the_first_of_a_batch_wins(self, ports: Ports) -> None:
        one, same, other = ports.store.accept([post(), post(), post(text="changed")])
        assert same == Accepted(one.document_id, duplicate=True, conflict=False)
        assert other == Accepted(one.document_id, duplicate=True, conflict=True)
        assert not one.duplicate
        assert ports.reader.document(one.document_id).text == TEXT

    def test_nothing_to_accept(self, ports: Ports) -> None:
        assert ports.store.accept([]) == []

    def test_everything_that_came_is_kept(self, ports: Ports) -> None:
        created_at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
        metadata = {"lang": "tr", "nested": {"likes": [1, 2.5, None, True]}, "ünï": "🇹🇷"}
        new = NewDocument("test", "1", TEXT, created_at, metadata)
        (accepted,) = ports.store.accept([new])
        view = ports.reader.find(source="test", external_id="1")
        assert view == ports.reader.document(accepted.document_id)
        assert (view.text, view.created_at, view.metadata) == (TEXT, created_at, metadata)
        assert (view.status, view.revision, view.completed_at, view.entities) == ("accepted", 0, None, ())
