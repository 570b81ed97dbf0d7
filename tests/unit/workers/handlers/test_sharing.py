"""Answers between equal questions: by the order of the candidates, each at its own offsets."""

from __future__ import annotations

from linkner.classification import Form, ask_at_once
from linkner.labels import label_set
from linkner.spans import LabelledSpan, Span
from workers.handlers.sharing import SharedQuestion
from workers.ports import Answer, CachedAnswer

POST = "Zork met Anna in Oslo https://t.co/abc"
RETWEET = "RT @paper: Zork  met Anna in Oslo https://t.co/xyzabc"


def shared(text: str, *surfaces: str) -> SharedQuestion:
    spans = tuple(Span(text.index(surface), text.index(surface) + len(surface)) for surface in surfaces)
    asked = ask_at_once(text, spans, form=Form(name="propose"), label_set=label_set("wnut17"))
    return SharedQuestion.of(asked, model="m")


def answer(labels: dict[Span, str], *proposals: LabelledSpan) -> Answer:
    return Answer(labels, "llm", "p1", "raw", 30, 2, replayed=True, proposals=proposals)


def keep(question: SharedQuestion, said: Answer) -> CachedAnswer:
    cached = question.share(said)
    assert cached is not None
    return cached


def test_an_answer_is_taken_over_at_the_offsets_of_the_question_that_takes_it() -> None:
    first, second = shared(POST, "Oslo", "Zork"), shared(RETWEET, "Zork", "Oslo")
    assert first.key == second.key
    zork, oslo = Span(0, 4), Span(17, 21)
    taken = second.take(keep(first, answer({oslo: "location", zork: "person"})))
    assert {span.of(RETWEET): label for span, label in taken.labels.items()} == {
        "Zork": "person",
        "Oslo": "location",
    }


def test_an_answer_taken_over_says_so_and_costs_nothing() -> None:
    question = shared(POST, "Zork")
    taken = question.take(keep(question, answer({Span(0, 4): "person"})))
    assert taken.cached
    assert (taken.prompt_tokens, taken.completion_tokens) == (0, 0)
    assert (taken.model, taken.prompt_version, taken.raw, taken.replayed) == ("llm", "p1", "raw", True)


def test_proposals_move_with_the_text_they_stand_in() -> None:
    first, second = shared(POST, "Zork"), shared(RETWEET, "Zork")
    anna = LabelledSpan(Span(9, 13), "person")
    code = LabelledSpan(Span(35, 38), "product")  # of the link, which the copies do not share
    taken = second.take(keep(first, answer({Span(0, 4): "person"}, anna, code)))
    assert [(one.span.of(RETWEET), one.label) for one in taken.proposals] == [("Anna", "person")]


def test_an_answer_that_lacks_a_candidate_is_not_shared() -> None:
    assert shared(POST, "Zork", "Anna").share(answer({Span(0, 4): "person"})) is None


def test_other_candidates_make_another_question() -> None:
    assert shared(POST, "Zork").key != shared(POST, "Anna").key
    assert shared(POST, "Zork").key != shared(POST, "Zork", "Anna").key
