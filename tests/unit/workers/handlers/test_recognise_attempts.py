"""Recognition that fails: which text is blamed, and when it ends."""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from linkner.errors import CrashedError, UnavailableError
from linkner.spans import Recognition
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import FakeRecogniser
from tests.fakes.store import FakeStore
from tests.unit.workers.handlers.recognise_scene import Scene
from workers.ports import ATTEMPTS_EXHAUSTED, Recognised


def test_a_text_that_the_service_fails_at_ends_after_its_attempts_and_harms_no_other() -> None:
    scene = Scene("Ada", "a broken text", "Oslo", "Lagos")
    rounds = 0
    while due := scene.relay():
        rounds += 1
        scene.handle(due)
        scene.clock.sleep(60.0)
    assert rounds == 5
    dead = scene.store.document(scene.ids[1])
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.counts().documents == {"recognised": 3, "complete": 1}


class Spoilt(FakeStore):
    """A store that fails at every result that quotes Zork, and says the text."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.recorded: list[list[int]] = []

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        self.recorded.append([result.document_id for result in results])
        for stored in self.texts(self.recorded[-1]):
            if "Zork" in stored.text:
                raise ValueError(f"cannot record {stored.text}")
        return super().record_recognised(results)


def test_a_defect_of_one_document_holds_up_no_other_and_ends_it_after_its_attempts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene("Ada", "Zork", "Oslo", "Lagos", store=Spoilt)
    assert scene.handle(scene.relay()) == 3
    for pause_s in (1, 2, 4, 8):
        scene.clock.sleep(pause_s - 0.5)
        assert scene.relay() == []
        scene.clock.sleep(0.5)
        scene.handle(scene.relay())
    dead = scene.store.document(scene.ids[1])
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.last_error(scene.ids[1]) == "its recognition failed: ValueError: cannot record Zork"
    assert scene.relay() == []
    assert "ValueError" in caplog.text
    assert "Zork" not in caplog.text


def test_defects_that_were_tried_before_do_not_stop_those_behind_them() -> None:
    scene = Scene("Zork", "Zork again", "Oslo", store=Spoilt)
    scene.store.begin_recognition(scene.ids)
    assert scene.handle(scene.relay()) == 1
    assert scene.store.recorded == [[id_] for id_ in scene.ids]
    assert scene.attempts() == [2, 2]


def test_no_text_is_blamed_while_the_service_fails_at_every_text() -> None:
    scene = Scene()
    scene.relay()
    scene.recogniser.failures = deque([CrashedError("out of memory")] * 1000)
    with pytest.raises(UnavailableError, match="every text"):
        scene.handle(scene.ids)
    assert scene.attempts() == [0, 0, 0]
    scene.clock.sleep(5.0)
    assert scene.relay() == scene.ids


class Falls(FakeRecogniser):
    """A service that one text takes down, for longer than the handler is patient."""

    RESTART_S = 70.0

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.back_at = 0.0

    def recognise(self, texts: list[str]) -> tuple[str, list[Recognition]]:
        if self.clock.monotonic() < self.back_at:
            raise UnavailableError("down")
        try:
            return super().recognise(texts)
        except CrashedError:
            self.back_at = self.clock.monotonic() + self.RESTART_S
            raise


def test_a_text_that_takes_the_service_down_for_long_ends_and_holds_up_no_other() -> None:
    scene = Scene("Ada", "a broken text", "Oslo", "Lagos")
    recogniser = Falls(scene.clock)
    handle = replace(scene.handle, recogniser=recogniser)

    def pass_on_until_a_crash_or_the_end() -> None:
        before = recogniser.back_at
        while recogniser.back_at == before and scene.store.counts().documents["accepted"]:
            with suppress(UnavailableError):
                handle(scene.relay())
            scene.clock.sleep(5.0)

    pass_on_until_a_crash_or_the_end()
    assert scene.attempts() == [1, 1, 1, 1], "any of them may have been it"
    pass_on_until_a_crash_or_the_end()
    assert scene.attempts() == [2, 1, 1], "each was tried alone; those behind it wait for the service"
    pass_on_until_a_crash_or_the_end()
    assert scene.attempts() == [3], "what was tried more often came last"
    for _ in range(3):
        pass_on_until_a_crash_or_the_end()
    dead = scene.store.document(scene.ids[1])
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.counts().documents == {"recognised": 3, "complete": 1}


def test_what_kills_its_worker_is_tried_alone_and_ends() -> None:
    scene = Scene("Ada", "a deadly text", "Oslo")
    deadly = scene.ids[1]

    class Killed(BaseException):
        """The process is gone: nothing after this line runs in it."""

    class Deadly(FakeRecogniser):
        def recognise(self, texts: list[str]) -> tuple[str, list[Recognition]]:
            if any("deadly" in text for text in texts):
                raise Killed
            return super().recognise(texts)

    handle = replace(scene.handle, recogniser=Deadly())
    for _ in range(10):
        with suppress(Killed):
            handle(scene.ids)
    dead = scene.store.document(deadly)
    assert dead is not None
    assert (dead.status, dead.reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.unfinished() == 2
    assert scene.store.counts().documents["accepted"] == 0
