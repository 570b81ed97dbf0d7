"""What is due is sent, what was lost is sent again, in memory and in PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.contract.store.scene import (
    ANNA,
    FOREVER_S,
    NEVER_S,
    OSLO,
    TEXT,
    Ports,
    accept_one,
    answer,
    ask,
    claimed,
    due,
    recognised,
    scored,
    status,
    sweep,
)
from tests.support.joining import complete
from tests.support.one_question import claim_one, record_one
from workers.ports import NewDocument


class TestOutbox:
    def test_each_id_is_sent_once_oldest_first(self, ports: Ports) -> None:
        ids = [accept_one(ports, str(number)) for number in range(5)]
        assert due(ports, "recognise", limit=3) == ids[:3]
        assert due(ports, "recognise", limit=3) == ids[3:]
        assert due(ports, "recognise") == []

    def test_what_could_not_be_sent_is_still_due(self, ports: Ports) -> None:
        document_id = accept_one(ports)

        def fails(ids: Sequence[int]) -> None:
            raise ConnectionError

        with pytest.raises(ConnectionError):
            ports.outbox.publish_due("recognise", limit=10, send=fails)
        assert due(ports, "recognise") == [document_id]

    def test_the_sweep_frees_expired_leases(self, ports: Ports) -> None:
        _, (expired, held) = ask(ports, [scored(ANNA)], [scored(OSLO)])
        claimed(ports, expired, lease_s=0.0)
        claimed(ports, held)
        assert sweep(ports)["freed"] == 1
        assert due(ports, "classify") == [expired]

    def test_the_sweep_republishes_what_was_lost(self, ports: Ports) -> None:
        accepted = accept_one(ports, "accepted")
        classified = accept_one(ports, "classified")
        ports.store.record_recognised([recognised(classified)])
        _, (question_id,) = ask(ports, [scored(ANNA)], external_id="asked")
        assert (due(ports, "recognise"), due(ports, "aggregate")) == ([accepted], [classified])
        counts = sweep(ports)
        assert (counts["lost_documents"], counts["lost_questions"]) == (0, 0)
        counts = sweep(ports, republish_after_s=0.0)
        assert (counts["lost_documents"], counts["lost_questions"]) == (2, 1)
        assert (due(ports, "recognise"), due(ports, "aggregate")) == ([accepted], [classified])
        assert due(ports, "classify") == [question_id]

    def test_the_sweep_leaves_finished_work_alone(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        due(ports, "recognise")
        ports.store.record_recognised([recognised(document_id)])
        due(ports, "aggregate")
        complete(ports.store, {document_id: []})
        counts = sweep(ports, republish_after_s=0.0, deadline_s=0.0, document_deadline_s=0.0)
        assert set(counts.values()) == {0}

    def test_the_sweep_ends_questions_past_the_deadline(self, ports: Ports) -> None:
        document_id, (held, pending) = ask(ports, [scored(ANNA)], [scored(OSLO)])
        claim = claimed(ports, held)
        assert sweep(ports, deadline_s=0.0)["overdue_questions"] == 1
        assert ports.reader.counts().dead_reasons == {"deadline": 1}
        assert claim_one(ports.store, pending, lease_s=FOREVER_S, max_attempts=5) is None
        assert record_one(ports.store, claim, answer({ANNA: "person"}))
        assert due(ports, "aggregate") == [document_id]

    def test_a_document_whose_last_question_is_past_the_deadline_moves_on(self, ports: Ports) -> None:
        document_id, _ = ask(ports, [scored(ANNA)], [scored(OSLO)])
        assert sweep(ports, deadline_s=0.0)["overdue_questions"] == 2
        assert due(ports, "aggregate") == [document_id]

    @pytest.mark.parametrize(("own_s", "overdue"), [(0.0, 1), (FOREVER_S, 0)])
    def test_a_deadline_of_its_own_comes_before_the_common_one(
        self, ports: Ports, own_s: float, overdue: int
    ) -> None:
        document_id = accept_one(ports)
        result = recognised(document_id, questions=[[scored(ANNA)]], deadline_s=own_s)
        ports.store.record_recognised([result])
        common_s = NEVER_S if overdue else 0.0
        assert sweep(ports, deadline_s=common_s)["overdue_questions"] == overdue

    def test_a_document_keeps_the_lane_and_the_deadline_that_it_came_with(self, ports: Ports) -> None:
        new = NewDocument("test", "1", TEXT, lane="never", deadline_s=90.0)
        (accepted,) = ports.store.accept([new])
        (stored,) = ports.store.texts([accepted.document_id])
        assert (stored.source, stored.lane, stored.deadline_s) == ("test", "never", 90.0)
        other = accept_one(ports, "2")
        (stored,) = ports.store.texts([other])
        assert (stored.lane, stored.deadline_s) == (None, None)

    def test_the_sweep_ends_documents_that_waited_past_their_deadline(self, ports: Ports) -> None:
        waiting, asked = accept_one(ports), ask(ports, [scored(ANNA)], external_id="asked")[0]
        assert sweep(ports)["overdue_documents"] == 0
        assert sweep(ports, document_deadline_s=0.0)["overdue_documents"] == 1
        assert ports.reader.document(waiting).reason == "deadline"
        assert (status(ports, waiting), status(ports, asked)) == ("final", "provisional")
        assert [item.document.document_id for item in ports.reader.feed(after=0, limit=10)] == [waiting]

    def test_waiting_hears_of_new_work(self, ports: Ports) -> None:
        while ports.outbox.wait(timeout_s=0.01):
            pass
        accept_one(ports)
        assert ports.outbox.wait(timeout_s=10.0)
        assert not ports.outbox.wait(timeout_s=0.01)
