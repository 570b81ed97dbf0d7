"""How a document is asked about, from its acceptance to its end, in memory and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from linkner.classification import Form
from linkner.detectors import Detectors
from linkner.labels import label_set
from tests.contract.store.scene import Ports, due
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import FakeRecogniser
from workers.handlers.aggregate import AggregateDocuments
from workers.handlers.policies import Policies, Policy
from workers.handlers.recognise import RecogniseDocuments
from workers.ports import LANE_NEVER, NewDocument

NEVER = {"test": Policy(lane="never")}


def recognise(ports: Ports, policies: Mapping[str, Policy]) -> int:
    handle = RecogniseDocuments(
        store=ports.store,
        recogniser=FakeRecogniser(),
        detectors=Detectors(threshold=0.2, epsilon=0.05),
        form=Form(),
        label_set=label_set("wnut17"),
        clock=FakeClock(),
        max_attempts=5,
        policies=Policies(by_source=policies),
    )
    return handle(due(ports, "recognise"))


@pytest.mark.parametrize("skipped", ["its own", "its source's"])
def test_what_is_never_asked_about_ends_with_the_local_entities(ports: Ports, skipped: str) -> None:
    own = skipped == "its own"
    never = NewDocument("test", "1", "Ada met Zork", lane="never" if own else None)
    (accepted, _) = ports.store.accept([never, NewDocument("other", "2", "Oslo")])
    assert recognise(ports, {} if own else NEVER) == 2
    assert len(due(ports, "classify")) == 1, "the other document's"
    assert (
        AggregateDocuments(store=ports.store, clock=FakeClock(), max_attempts=5)(due(ports, "aggregate")) == 1
    )
    view = ports.reader.document(accepted.document_id)
    assert view is not None
    assert (view.status, view.reason) == ("final", None)
    assert [(e.text, e.label, e.decided_by, e.reason) for e in view.entities] == [
        ("Ada", "person", "fallback", LANE_NEVER),
        ("Zork", "person", "fallback", LANE_NEVER),
    ]
