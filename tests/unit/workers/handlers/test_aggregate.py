"""Aggregation over fakes: local labels and answers become one result, once."""

from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.store import FakeStore
from workers.handlers.aggregate import AggregateDocuments
from workers.ports import Answer, NewDocument, Recognised

TEXT = "Ada met Zork in Oslo"
ADA, ZORK, OSLO = Span(0, 3), Span(8, 12), Span(16, 20)


def scored(span: Span, label: str, p: float) -> ScoredSpan:
    return ScoredSpan(span, label, p, 1 - p, {OUTSIDE: 1 - p, label: p})


def prepared() -> tuple[FakeStore, int]:
    """A document with a certain entity, one that the LLM relabels and one that nobody answered."""
    store = FakeStore()
    (accepted,) = store.accept([NewDocument("test", "1", TEXT)])
    ada, zork, oslo = scored(ADA, "person", 0.99), scored(ZORK, "person", 0.6), scored(OSLO, "location", 0.5)
    recognition = Recognition((ada, zork, oslo), ())
    store.record_recognised([Recognised(accepted.document_id, "m", recognition, ((zork,), (oslo,)))])
    first = store.claim(1, lease_s=10, max_attempts=5)
    second = store.claim(2, lease_s=10, max_attempts=5)
    assert first is not None
    assert second is not None
    store.record_answer(first, Answer({ZORK: "group"}, "llm-1", "v1", "group", 9, 1, replayed=True))
    assert AggregateDocuments(store=store)([accepted.document_id]) == 0
    store.end_question(second, reason="llm-refused", error="HTTP 400")
    return store, accepted.document_id


def test_each_entity_says_who_decided_it_and_why() -> None:
    store, document_id = prepared()
    assert AggregateDocuments(store=store)([document_id]) == 1
    document = store.document(document_id)
    assert document is not None
    assert document.status == "final"
    assert [(e.text, e.label, e.decided_by, e.reason, e.replayed) for e in document.entities] == [
        ("Ada", "person", "local", None, False),
        ("Zork", "group", "llm", None, True),
        ("Oslo", "location", "fallback", "llm-refused", False),
    ]


def test_a_repeated_message_finishes_nothing_twice() -> None:
    store, document_id = prepared()
    handle = AggregateDocuments(store=store)
    assert [handle([document_id]), handle([document_id, document_id])] == [1, 0]
    assert len(store.feed(after=0, limit=10)) == 1
