"""Recognition waits for a service or a store that is away, or not the right one."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from linkner.errors import UnavailableError
from linkner.labels import label_set
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.unit.workers.handlers.recognise_scene import Scene
from workers.ports import Recognised, StoredText


def test_a_busy_service_is_asked_again_with_growing_pauses() -> None:
    scene = Scene()
    scene.recogniser.failures = deque([UnavailableError("busy")] * 3)
    assert scene.handle(scene.ids) == 3
    assert scene.clock.slept == [0.1, 0.2, 0.4]


def test_documents_go_back_to_the_relay_where_the_service_stays_away() -> None:
    scene = Scene()
    scene.relay()
    scene.recogniser.failures = deque([UnavailableError("down")] * 1000)
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert sum(scene.clock.slept) <= 60
    assert scene.relay() == []
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids
    assert scene.attempts() == [0, 0, 0], "an absent service is no attempt"


def test_a_service_that_stays_away_is_noted_and_one_that_is_busy_for_a_moment_is_not() -> None:
    scene, noted = Scene(), []
    handle = replace(scene.handle, note=lambda *trouble: noted.append((*trouble, scene.clock.now)))
    scene.recogniser.failures = deque([UnavailableError("busy")] * 3)
    handle(scene.ids[:1])
    assert noted == []
    began, scene.recogniser.failures = scene.clock.now, deque([UnavailableError("down")] * 1000)
    with pytest.raises(UnavailableError):
        handle(scene.ids[1:])
    assert {(stage, str(error)) for stage, error, _ in noted} == {("recognise", "down")}
    assert 10 <= noted[0][-1] - began < 20


class GoesAway(FakeStore):
    """A store that is away when a result comes, and for a while after."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.failures = 4

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        self._answer()
        return super().record_recognised(results)

    def defer(self, documents: Collection[StoredText], *, delay_s: float, error: str | None) -> int:
        self._answer()
        return super().defer(documents, delay_s=delay_s, error=error)

    def _answer(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise UnavailableError("PostgreSQL cannot answer now")


def test_a_store_that_goes_away_costs_no_attempt() -> None:
    scene = Scene(store=GoesAway)
    scene.relay()
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert scene.clock.slept == [0.1, 0.2, 0.4]
    assert scene.attempts() == [0, 0, 0]
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids


def test_documents_wait_for_a_model_of_the_right_labels() -> None:
    scene = Scene()
    scene.handle = replace(scene.handle, label_set=label_set("conll03"))
    with pytest.raises(UnavailableError, match=r"LINKNER_LABEL_SET.*those of conll03.*got person"):
        scene.handle(scene.ids)
    assert scene.attempts() == [0, 0, 0]
    assert scene.store.counts().documents["recognised"] == 0
    scene.clock.sleep(10.0)
    scene.handle = replace(scene.handle, label_set=label_set("wnut17"))
    assert scene.handle(scene.relay()) == 3


def test_documents_wait_for_the_calibration_that_a_budget_needs() -> None:
    scene = Scene()
    detectors = scene.handle.detectors
    scene.handle = replace(scene.handle, detectors=replace(detectors, budget=30.0))
    with pytest.raises(UnavailableError, match="LINKNER_CALIBRATION"):
        scene.handle(scene.ids)
    assert scene.attempts() == [0, 0, 0]
    scene.handle = replace(scene.handle, detectors=detectors)
    assert scene.handle(scene.ids) == 3


def test_what_was_begun_before_waits_with_the_others_while_the_service_is_away() -> None:
    scene = Scene()
    scene.relay()
    scene.store.begin_recognition(scene.ids[:1])
    scene.recogniser.failures = deque([UnavailableError("down")] * 1000)
    with pytest.raises(UnavailableError):
        scene.handle(scene.ids)
    assert scene.attempts() == [1, 0, 0]
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids
