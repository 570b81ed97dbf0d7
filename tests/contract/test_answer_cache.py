"""The answer cache: what equal questions share, over both stores, and that it makes them one call."""

from __future__ import annotations

from linkner.spans import Entity
from tests.contract.store.scene import ANNA, FOREVER_S, OSLO, Ports, answer, ask, claimed, due, local, scored
from tests.support.joining import complete
from tests.support.one_question import recall_one, record_one
from workers.ports import CachedAnswer, ClaimedQuestion


def cached(*labels: str, key: bytes = b"key") -> CachedAnswer:
    return CachedAnswer(key, labels, model="llm-1", prompt_version="p1", raw="raw", replayed=True)


def recall(ports: Ports, claim: ClaimedQuestion, *, max_age_s: float = FOREVER_S) -> object:
    return recall_one(ports.store, claim, b"key", max_age_s=max_age_s)


def two(ports: Ports) -> list[int]:
    return [
        question
        for external_id in "12"
        for question in ask(ports, [scored(ANNA)], external_id=external_id)[1]
    ]


def test_the_first_asks_and_the_second_gets_its_answer(ports: Ports) -> None:
    first, second = two(ports)
    claim = claimed(ports, first)
    assert recall(ports, claim) == "ask"
    assert record_one(ports.store, claim, answer({ANNA: "person"}), keep=cached("person"))
    assert recall(ports, claimed(ports, second)) == cached("person")


def test_equal_questions_wait_for_the_answer_without_counting_an_attempt(ports: Ports) -> None:
    first, second = two(ports)
    claim = claimed(ports, first)
    recall(ports, claim)
    other = claimed(ports, second)
    assert recall(ports, other) == "put-off"
    assert not ports.store.release(other, delay_s=0.0, error=None), "it was given back"
    assert due(ports, "classify") == []
    record_one(ports.store, claim, answer({ANNA: "person"}), keep=cached("person"))
    assert due(ports, "classify") == [second]
    again = claimed(ports, second)
    assert again.attempts == 1
    assert recall(ports, again) == cached("person")


def test_a_promise_ends_with_its_lease(ports: Ports) -> None:
    first, second = two(ports)
    assert recall(ports, claimed(ports, first, lease_s=0.0)) == "ask"
    assert recall(ports, claimed(ports, second)) == "ask"


def test_who_promised_may_ask_again(ports: Ports) -> None:
    first, second = two(ports)
    claim = claimed(ports, first)
    assert recall(ports, claim) == "ask"
    ports.store.release(claim, delay_s=0.0, error="HTTP 500")
    assert recall(ports, claimed(ports, first)) == "ask"
    assert recall(ports, claimed(ports, second)) == "put-off"


def test_other_keys_wait_for_nobody(ports: Ports) -> None:
    first, second = two(ports)
    recall(ports, claimed(ports, first))
    assert recall_one(ports.store, claimed(ports, second), b"another", max_age_s=FOREVER_S) == "ask"


def test_an_answer_that_is_too_old_is_asked_for_again(ports: Ports) -> None:
    first, second = two(ports)
    record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}), keep=cached("person"))
    assert recall(ports, claimed(ports, second), max_age_s=0.0) == "ask"


def test_a_claim_that_was_lost_promises_nothing(ports: Ports) -> None:
    first, second = two(ports)
    lost = claimed(ports, first, lease_s=0.0)
    claimed(ports, first)
    assert recall(ports, lost) == "stale"
    assert recall(ports, claimed(ports, second)) == "ask"


def test_a_dropped_answer_is_not_kept(ports: Ports) -> None:
    first, second = two(ports)
    lost = claimed(ports, first, lease_s=0.0)
    claimed(ports, first)
    assert not record_one(ports.store, lost, answer({ANNA: "person"}), keep=cached("person"))
    assert recall(ports, claimed(ports, second)) == "ask"


def test_an_entity_says_where_its_answer_came_from(ports: Ports) -> None:
    document_id, (question_id,) = ask(ports, [scored(ANNA)])
    record_one(ports.store, claimed(ports, question_id), answer({ANNA: "person"}, cached=True))
    complete(ports.store, {document_id: [Entity(ANNA, "person", "llm", 0.7, 0.3), local(OSLO)]})
    assert [entity.cached for entity in ports.reader.document(document_id).entities] == [True, False]


def test_a_purge_forgets_answers_and_broken_promises(ports: Ports) -> None:
    first, second = two(ports)
    record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}), keep=cached("person"))
    claim = claimed(ports, second)
    recall_one(ports.store, claim, b"promised", max_age_s=FOREVER_S)
    assert ports.store.purge_cache(older_than_s=FOREVER_S) == 0
    assert ports.store.purge_cache(older_than_s=0.0) == 1
    assert ports.reader.cache().answers == 0
    assert ports.reader.cache().promised == 1
    assert recall(ports, claim) == "ask"


def test_a_purge_by_model_forgets_only_what_that_model_answered(ports: Ports) -> None:
    first, second = two(ports)
    record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}), keep=cached("person"))
    recall_one(ports.store, claimed(ports, second), b"promised", max_age_s=FOREVER_S)
    assert ports.store.purge_cache(older_than_s=0.0, model="llm-2") == 0
    assert ports.store.purge_cache(older_than_s=0.0, model="llm-1") == 1
    assert (ports.reader.cache().answers, ports.reader.cache().promised) == (0, 1)


def test_counts(ports: Ports) -> None:
    empty = ports.reader.cache()
    assert (empty.answers, empty.promised, empty.oldest_s, empty.answered, empty.from_cache) == (
        0,
        0,
        0.0,
        0,
        0,
    )
    first, second = two(ports)
    record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}), keep=cached("person"))
    record_one(ports.store, claimed(ports, second), answer({ANNA: "person"}, cached=True))
    counts = ports.reader.cache()
    assert (counts.answers, counts.promised, counts.answered, counts.from_cache) == (1, 0, 2, 1)
    assert 0 <= counts.oldest_s < 60
