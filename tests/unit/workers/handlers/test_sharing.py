"""Answers between equal questions: by the order of the candidates, each at its own offsets."""

from __future__ import annotations

from linkner.classification import ask_about
from linkner.labels import label_set
from linkner.spans import Span
from workers.handlers.sharing import SharedQuestion
from workers.ports import Answer, ClaimedQuestion

POST = "Zork met Anna in Oslo https://t.co/abc"
RETWEET = "RT @paper: Zork  met Anna in Oslo https://t.co/xyzabc"


def shared(text: str, *surfaces: str) -> SharedQuestion:
    spans = tuple(Span(text.index(surface), text.index(surface) + len(surface)) for surface in surfaces)
    prompt = ask_about(text, spans[0], label_set("wnut17"))
    return SharedQuestion.of(ClaimedQuestion(1, 1, 1, 1, "test", text, spans), prompt, model="m")


def answer(labels: dict[Span, str]) -> Answer:
    return Answer(labels, "llm", "p1", "raw", 30, 2, replayed=True)


def test_an_answer_is_taken_over_at_the_offsets_of_the_question_that_takes_it() -> None:
    first, second = shared(POST, "Oslo", "Zork"), shared(RETWEET, "Zork", "Oslo")
    assert first.key == second.key
    zork, oslo = Span(0, 4), Span(17, 21)
    taken = second.take(first.share(answer({oslo: "location", zork: "person"})))
    assert {span.of(RETWEET): label for span, label in taken.labels.items()} == {
        "Zork": "person",
        "Oslo": "location",
    }


def test_an_answer_taken_over_says_so_and_costs_nothing() -> None:
    question = shared(POST, "Zork")
    taken = question.take(question.share(answer({Span(0, 4): "person"})))
    assert taken.cached
    assert (taken.prompt_tokens, taken.completion_tokens) == (0, 0)
    assert (taken.model, taken.prompt_version, taken.raw, taken.replayed) == ("llm", "p1", "raw", True)


def test_other_candidates_make_another_question() -> None:
    assert shared(POST, "Zork").key != shared(POST, "Anna").key
    assert shared(POST, "Zork").key != shared(POST, "Zork", "Anna").key
