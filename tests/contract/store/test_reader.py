"""What consumers and operators read, in memory and in PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

from linkner.spans import Entity
from tests.contract.store.scene import (
    ANNA,
    OSLO,
    Ports,
    accept_one,
    answer,
    ask,
    claimed,
    local,
    recognised,
    scored,
)
from tests.support.joining import complete
from tests.support.one_question import record_one


class TestReader:
    def test_there_is_no_such_document(self, ports: Ports) -> None:
        assert ports.reader.document(1_000_000) is None
        assert ports.reader.find(source="test", external_id="none") is None

    def test_following_the_feed_yields_each_finished_document_once(self, ports: Ports) -> None:
        ids = [accept_one(ports, str(number)) for number in range(5)]
        ports.store.record_recognised([recognised(document_id) for document_id in ids])
        for document_id in ids:
            complete(ports.store, {document_id: [local(ANNA)]})
        seen, cursor = [], 0
        while items := ports.reader.feed(after=cursor, limit=2):
            assert [item.cursor for item in items] == sorted(item.cursor for item in items)
            seen += [item.document.document_id for item in items]
            cursor = items[-1].cursor
        assert seen == ids

    def test_counts_of_the_whole_store(self, ports: Ports) -> None:
        finished, (first,) = ask(ports, [scored(ANNA)], external_id="1")
        record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}, replayed=True))
        complete(ports.store, {finished: [Entity(ANNA, "person", "llm", 0.7, 0.3), local(OSLO)]})
        accept_one(ports, "2")
        _, (second, third) = ask(ports, [scored(ANNA)], [scored(OSLO)], external_id="3")
        claimed(ports, second)
        ports.store.end_question(claimed(ports, third), reason="llm-refused", error="400")
        counts = ports.reader.counts()
        assert counts.documents == {"complete": 1, "accepted": 1, "recognised": 1}
        assert counts.questions == {"answered": 1, "claimed": 1, "dead": 1}
        assert counts.dead_reasons == {"llm-refused": 1}
        assert counts.decided_by == {"llm": 1, "local": 1}
        assert counts.replayed == 1
        assert 0 <= counts.oldest_unfinished_s < 60
        backlog = ports.reader.backlog()
        assert backlog.documents == {"accepted": 1, "recognised": 1}
        assert backlog.questions == {"claimed": 1}
        assert 0 <= backlog.oldest_unfinished_s < 60
        assert ports.reader.unfinished() == ports.reader.unfinished(up_to=3) == 2
        assert ports.reader.unfinished(up_to=1) == 1

    def test_what_the_llm_answered_about(self, ports: Ports) -> None:
        asked = []
        for number in range(3):
            document_id, (question,) = ask(ports, [scored(ANNA)], external_id=f"asked {number}")
            record_one(ports.store, claimed(ports, question), answer({ANNA: "person"}))
            complete(ports.store, {document_id: [Entity(ANNA, "person", "llm", 0.7, 0.3)]})
            asked.append(document_id)
        unasked = accept_one(ports, "unasked")
        ports.store.record_recognised([recognised(unasked)])
        complete(ports.store, {unasked: []})
        half, (first, second) = ask(ports, [scored(ANNA)], [scored(OSLO)], external_id="half")
        record_one(ports.store, claimed(ports, first), answer({ANNA: "person"}))
        ports.store.end_question(claimed(ports, second), reason="llm-refused", error="400")
        complete(ports.store, {half: [local(ANNA)]})
        _, (waiting,) = ask(ports, [scored(ANNA)], external_id="unfinished")
        record_one(ports.store, claimed(ports, waiting), answer({ANNA: "person"}))
        found = ports.reader.answered(before=2**63 - 1, limit=2)
        assert [one.document_id for one in found] == [asked[2], asked[1]]
        assert [entity.label for entity in found[0].entities] == ["person"]
        assert [one.document_id for one in ports.reader.answered(before=asked[1], limit=2)] == asked[:1]
        assert ports.reader.answered(before=asked[0], limit=2) == []

    def test_an_empty_store(self, ports: Ports) -> None:
        counts = ports.reader.counts()
        assert (counts.documents, counts.questions, counts.oldest_unfinished_s) == ({}, {}, 0.0)
        assert ports.reader.unfinished() == 0
        assert ports.reader.feed(after=0, limit=10) == []
        ports.reader.ping()
