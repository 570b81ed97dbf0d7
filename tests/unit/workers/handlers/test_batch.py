"""The batch lane over fakes: what is sent off, and what becomes of what comes back."""

from __future__ import annotations

import pytest

from linkner.errors import UnavailableError
from linkner.spans import Span
from tests.unit.workers.handlers.batch_scene import SWEEP, Scene
from workers.ports import ATTEMPTS_EXHAUSTED, DEADLINE, LLM_REFUSED, UNREADABLE


def test_what_waits_is_sent_off_and_what_came_back_is_recorded() -> None:
    scene = Scene("Zork sings", "Anna sings")
    assert scene.step() == {"submitted": 2}
    assert scene.step() == {"answered": 2}
    assert scene.step() == {}
    found = scene.store.joinable(scene.documents)
    assert [dict(joinable.answers) for joinable in found] == [{Span(0, 4): "group"}] * 2
    assert scene.sent == [2]
    assert len(scene.llm.discarded) == 1


def test_a_batch_that_is_not_done_is_left_alone() -> None:
    scene = Scene("Zork sings")
    scene.step()
    scene.llm.running = True
    assert scene.step() == {}
    assert scene.open_questions == 1
    scene.llm.running = False
    assert scene.step() == {"answered": 1}


def test_equal_questions_are_one_request_and_all_are_answered() -> None:
    scene = Scene("Zork sings", "Zork sings ", "Anna sings", "Zork  sings")
    assert scene.step() == {"submitted": 2}
    assert scene.step() == {"answered": 4}
    assert scene.store.cache().from_cache == 2


def test_without_the_cache_each_is_a_request() -> None:
    scene = Scene("Zork sings", "Zork sings ", cache_max_age_s=0.0)
    assert scene.step() == {"submitted": 2}
    assert scene.step() == {"answered": 2}


def test_what_the_cache_knows_is_not_asked() -> None:
    scene = Scene("Zork sings")
    scene.step_until_done()
    scene.ask("Zork sings ")
    assert scene.step() == {"answered": 1}
    assert scene.sent == [1]
    assert scene.batches.open() == []


def test_what_was_not_done_in_time_is_asked_again_in_the_next_batch() -> None:
    scene = Scene("Zork sings", "Anna sings")
    scene.step()
    undone = next(iter(scene.llm.batches["batch 1"]))
    scene.llm.expired = lambda id_: id_ == undone
    assert scene.step() == {"answered": 1, "released": 1}
    scene.llm.expired = lambda id_: False
    scene.step_until_done()
    assert scene.sent == [2, 1]
    assert scene.store.counts().questions["answered"] == 2


@pytest.mark.parametrize("fault", ["lost", "expired"])
def test_what_is_never_done_ends_after_its_attempts(fault: str) -> None:
    scene = Scene("Zork sings")
    setattr(scene.llm, fault, lambda id_: True)
    scene.step_until_done()
    assert scene.reasons == {ATTEMPTS_EXHAUSTED: 1}
    assert scene.sent == [1, 1, 1]


def test_a_refused_question_ends_and_the_others_are_answered() -> None:
    scene = Scene("Zork sings", "Anna sings")
    scene.llm.llm.answer = lambda prompt: None if "Anna" in prompt.user else "group"
    scene.step_until_done()
    assert scene.reasons == {LLM_REFUSED: 1}
    assert scene.store.counts().questions["answered"] == 1


def test_an_unreadable_reply_is_asked_for_once_more() -> None:
    scene = Scene("Zork sings", reply="a delicious pancake")
    scene.step_until_done()
    assert scene.reasons == {UNREADABLE: 1}
    assert scene.sent == [1, 1]


def test_an_endpoint_that_is_away_keeps_no_other_batch_waiting() -> None:
    scene = Scene("Zork sings")
    scene.step()
    scene.llm.failures = [UnavailableError("HTTP 503")]
    scene.ask("Anna sings")
    assert scene.step() == {"submitted": 1}
    assert [(stage, str(error)) for stage, error in scene.noted] == [("batcher", "HTTP 503")]
    assert scene.step() == {"answered": 2}


class TestLateAnswers:
    """An answer that comes after its question's deadline."""

    def late(self, *, revise_late: bool) -> Scene:
        scene = Scene("Zork sings", "Anna sings", revise_late=revise_late, deadline_s=3600.0)
        scene.step()
        scene.clock.sleep(3600.0)
        scene.store.sweep(**SWEEP)
        scene.aggregate()
        assert [scene.store.document(id_).revision for id_ in scene.documents] == [1, 1]
        assert scene.reasons == {DEADLINE: 2}
        scene.step()
        scene.aggregate()
        return scene

    def test_makes_another_revision_where_that_is_wanted(self) -> None:
        scene = self.late(revise_late=True)
        views = [scene.store.document(id_) for id_ in scene.documents]
        assert [view.revision for view in views] == [2, 2]
        assert [view.entities[0].decided_by for view in views] == ["llm", "llm"]

    def test_is_dropped_where_not(self) -> None:
        scene = self.late(revise_late=False)
        views = [scene.store.document(id_) for id_ in scene.documents]
        assert [view.revision for view in views] == [1, 1]
        assert [view.entities[0].reason for view in views] == [DEADLINE, DEADLINE]

    @pytest.mark.parametrize("fault", ["lost", "expired"])
    def test_that_never_came_opens_nothing(self, fault: str) -> None:
        scene = Scene("Zork sings", revise_late=True, deadline_s=3600.0)
        setattr(scene.llm, fault, lambda id_: True)
        scene.step()
        scene.clock.sleep(3600.0)
        scene.store.sweep(**SWEEP)
        scene.aggregate()
        scene.step_until_done()
        assert [scene.store.document(id_).status for id_ in scene.documents] == ["final"]
        assert scene.reasons == {DEADLINE: 1}
        assert scene.sent == [1]

    @pytest.mark.parametrize("revise_late", [True, False])
    def test_costs_in_any_case(self, revise_late: bool) -> None:
        (row,) = self.late(revise_late=revise_late).store.costs("source", within_s=1e6)
        assert row.calls == 2


def test_while_the_endpoint_is_down_no_batch_is_sent_and_those_under_way_are_looked_after() -> None:
    scene = Scene("Anna sings")
    scene.step()
    scene.ask("Umit plays")
    scene.is_shut = True
    scene.clock.sleep(60.0)
    scene.step()
    assert scene.sent == [1]
    assert scene.open_questions == 1, "the first was settled"
    scene.is_shut = False
    scene.step_until_done()
    assert scene.sent == [1, 1]
