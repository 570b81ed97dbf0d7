"""The judge that asks a live LLM: answers, refusals, patience and what is counted."""

from __future__ import annotations

import sys
from collections import deque

import pytest

from linkner.classification import NON_ENTITY, Form, Prompt
from linkner.errors import ConfigurationError, RejectedError, ServiceError, UnavailableError
from linkner.labels import label_set
from linkner.spans import OUTSIDE, Span
from tests.fakes.llm import FakeLlm
from tests.unit.trainer.evaluation.examples import sentence
from tests.unit.trainer.test_calibration import posts
from trainer.calibration import frontier
from trainer.evaluation.judges import Asked
from workers.cli.model import judging
from workers.cli.model.judging import JudgeOptions
from workers.cli.model.live_judge import ATTEMPTS, LiveJudge, endpoint
from workers.cli.progress import Steps

FIRST = Asked(0, sentence(), (Span(0, 1),))
SECOND = Asked(1, sentence(), (Span(1, 2), Span(2, 3)))


def answer(prompt: Prompt) -> str | None:
    """w0 is a person, w1 no entity; about w2 it chatters, and w3 it refuses."""
    answers = {'"w0"': "person", '"w1"': NON_ENTITY, '"w2"': "I would rather not say.", '"w3"': None}
    return next(text for surface, text in answers.items() if f"type of {surface}" in prompt.user)


def judge(llm: FakeLlm, **options: object) -> LiveJudge:
    values = {"name": "fake-llm", "label_set": label_set("wnut17"), "connections": 2, "sleep": lambda _: None}
    return LiveJudge(llm=llm, **{**values, **options})  # type: ignore[arg-type]


def test_verdicts_come_in_order_with_what_they_took() -> None:
    told: list[tuple[int, int]] = []
    first, second = judge(FakeLlm(answer), told=lambda *counts: told.append(counts)).classify([FIRST, SECOND])
    assert first.labels == {Span(0, 1): "person"}
    assert second.labels == {Span(1, 2): OUTSIDE}
    assert (first.spent.questions, first.spent.replayed) == (1, 1)
    assert first.spent.prompt_tokens > first.spent.completion_tokens == 2
    assert told == [(1, 2), (2, 2)]


def test_a_reply_without_a_label_is_asked_for_once_more_and_both_are_counted() -> None:
    llm = FakeLlm(answer)
    (verdict,) = judge(llm).classify([Asked(0, sentence(), (Span(2, 3),))])
    assert (dict(verdict.labels), verdict.spent.questions, len(llm.asked)) == ({}, 2, 2)


def test_a_question_that_is_refused_has_no_answer() -> None:
    llm = FakeLlm(answer)
    _, verdict = judge(llm).classify([FIRST, Asked(1, sentence(), (Span(3, 4), Span(0, 1)))])
    assert verdict.labels == {Span(0, 1): "person"}
    assert verdict.spent.questions == 2


@pytest.mark.parametrize("error", [UnavailableError("no such key"), RejectedError("no such model")])
def test_where_the_very_first_question_fails_so_does_the_evaluation(error: ServiceError) -> None:
    llm = FakeLlm(answer, failures=deque([error]))
    with pytest.raises(type(error)):
        judge(llm).classify([FIRST, SECOND])
    assert len(llm.asked) == 1


def test_an_endpoint_that_is_away_is_waited_for() -> None:
    waits: list[float] = []
    llm = FakeLlm(answer)

    def failing_once_it_works(prompt: Prompt) -> str | None:
        if len(llm.asked) == 1:
            llm.failures += [UnavailableError("busy", retry_after_s=7.0), UnavailableError("busy")]
        return answer(prompt)

    llm.answer = failing_once_it_works
    _, verdict = judge(llm, connections=1, sleep=waits.append).classify([FIRST, FIRST])
    assert verdict.labels == {Span(0, 1): "person"}
    assert waits == [7.0, 2.0]


def test_an_endpoint_that_stays_away_ends_the_evaluation() -> None:
    llm = FakeLlm(answer)

    def failing_for_ever(prompt: Prompt) -> str | None:
        llm.failures += [UnavailableError("gone")] * ATTEMPTS
        return answer(prompt)

    llm.answer = failing_for_ever
    with pytest.raises(UnavailableError, match="gone"):
        judge(llm, connections=1).classify([FIRST, FIRST])
    assert len(llm.asked) == 1 + ATTEMPTS


def test_nothing_asked_is_nothing_answered() -> None:
    assert judge(FakeLlm(answer)).classify([]) == []


def test_without_the_llm_client_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "workers.llm_client", None)

    with pytest.raises(ConfigurationError, match=r"linkner\[workers\]"):
        endpoint("http://127.0.0.1:1/v1", model="any")


class ClosableLlm(FakeLlm):
    """One that is closed as an endpoint is."""

    def close(self) -> None:
        self.asked.clear()


@pytest.mark.parametrize("form", [Form(), Form(name="packed"), Form(name="propose")])
def test_budgets_pay_for_the_same_question_once(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    llm = ClosableLlm(lambda _: NON_ENTITY)
    monkeypatch.setattr(judging, "endpoint", lambda *_, **__: llm)
    options = JudgeOptions(
        replies=(), llm="http://here/v1", llm_model="fake-llm", connections=2, deadline_s=1.0, form=form
    )
    data = posts()

    with options.judges({"dev": data.sentences}, label_set("wnut17"), Steps(quiet=True)) as (judge,):
        assert judge is not None
        first, again = (frontier(data, judge, budgets=(20.0, 40.0, 60.0)) for _ in range(2))
        asked = len(llm.asked)

    distinct = max(one.spent.questions for one in first)
    assert 0 < asked == distinct
    assert first == again  # what is remembered is counted like what is paid
