from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.classification import Form, FormName, ask_about
from linkner.detection import Detector
from linkner.errors import InputError
from linkner.labels import label_set
from linkner.pricing import tokens_of
from linkner.replies import RecordedReply
from linkner.spans import OUTSIDE, LabelledSpan, Span
from tests.unit.trainer.evaluation.examples import of_one, recognised, scored, sentence
from trainer.evaluation import local
from trainer.evaluation.judges import NOTHING, Asked, ReplayJudge, Spent, Verdict, verdict_on
from trainer.evaluation.linked import candidates, link_all, pooled, unlinked

WNUT = label_set("wnut17")
DETECTOR = Detector(threshold=0.3, epsilon=0.3, max_candidates=8)
BLIND = Detector(threshold=0.3, epsilon=1.0, max_candidates=8)
"""Asks about predicted entities alone."""


def knowing_judge() -> ReplayJudge:
    """An LLM that named the gold entities."""
    return ReplayJudge([RecordedReply(one.entities, {}) for one in recognised().sentences], WNUT)


def test_deployed_candidates_are_uncertain_entities_and_plausible_spans() -> None:
    found = [
        [one.span for one in candidates(recognised(), index, detector=DETECTOR, protocol="deployed")]
        for index in range(3)
    ]
    assert found == [[Span(3, 5)], [Span(2, 3)], [Span(4, 5)]]


def test_paper_candidates_are_uncertain_entities_and_uncertain_gold_that_was_missed() -> None:
    found = [
        [one.span for one in candidates(recognised(), index, detector=BLIND, protocol="paper")]
        for index in range(3)
    ]
    assert found == [[Span(3, 5)], [Span(2, 3)], [Span(4, 5)]]
    assert candidates(recognised(), 0, detector=BLIND, protocol="deployed") == ()


def test_paper_asks_about_no_gold_span_of_which_the_model_is_certain() -> None:
    certain = Detector(threshold=0.9, epsilon=0.0, max_candidates=8)
    assert candidates(recognised(), 0, detector=certain, protocol="paper") == ()


def test_linking_takes_the_answers_and_counts_what_they_took() -> None:
    linked = link_all(recognised(), detector=DETECTOR, judge=knowing_judge())
    assert linked.scores(recognised().sentences).micro.f1 == 1.0
    assert (linked.posts_asked, linked.candidates, linked.unanswered) == (3, 3, 0)
    assert (linked.spent.questions, linked.spent.replayed) == (3, 3)
    assert linked.llm_share == pytest.approx(2 / 3), "the first entity was certain"


def test_tokens_are_those_of_the_prompts_and_the_answers_in_words() -> None:
    found = of_one(scored(1, 2, person=0.6))
    judge = ReplayJudge([RecordedReply((), {})], WNUT)
    prompt = ask_about("w0 w1 w2 w3 w4 w5", Span(3, 5), WNUT)
    spent = link_all(found, detector=DETECTOR, judge=judge).spent
    assert spent == Spent(
        questions=1,
        replayed=1,
        prompt_tokens=tokens_of(len(prompt.system + prompt.user)),
        completion_tokens=tokens_of(len("Non-entity")),
    )


def test_a_candidate_without_an_answer_keeps_its_local_label_and_says_so() -> None:
    class Silent:
        name, token_count = "silent", "not at all"

        def classify(self, asked: list[Asked]) -> list[Verdict]:
            return [Verdict({}, NOTHING) for _ in asked]

    linked = link_all(recognised(), detector=DETECTOR, judge=Silent())
    assert (linked.candidates, linked.unanswered, linked.llm_share) == (3, 3, 0.0)
    assert [one.decided_by for entities in linked.entities for one in entities] == [
        "local",
        "fallback",
        "fallback",
    ]
    assert [[(one.span, one.label) for one in entities] for entities in linked.entities] == [
        [(one.span, one.label) for one in entities] for entities in unlinked(recognised()).entities
    ]


def test_without_candidates_nothing_is_asked_and_the_local_entities_stand() -> None:
    certain = Detector(threshold=1.0, epsilon=1.0, max_candidates=8)
    assert link_all(recognised(), detector=certain, judge=knowing_judge()) == unlinked(recognised())


def test_without_entities_the_llm_decided_no_share_of_them() -> None:
    assert unlinked(of_one()).llm_share is None


@given(st.integers(0, 8), st.floats(0, 1), st.floats(0, 1))
def test_a_judge_that_was_asked_before_says_the_same(most: int, threshold: float, epsilon: float) -> None:
    detector = Detector(threshold=threshold, epsilon=epsilon, max_candidates=most)
    judge = knowing_judge()
    first = link_all(recognised(), detector=detector, judge=judge)
    assert first == link_all(recognised(), detector=detector, judge=judge)
    assert first == link_all(recognised(), detector=detector, judge=knowing_judge())


def test_pooled_results_are_those_of_one_data_set() -> None:
    linked = link_all(recognised(), detector=DETECTOR, judge=knowing_judge())
    twice = pooled([linked, linked])
    assert twice.entities == linked.entities * 2
    assert (twice.posts_asked, twice.candidates, twice.spent.tokens) == (6, 6, 2 * linked.spent.tokens)


def test_the_prompt_shows_the_words_as_a_post_and_the_candidate_in_its_place() -> None:
    asked = Asked(0, sentence(words=4), (Span(2, 3), Span(0, 2)))
    first, second = (question.prompt.user for question in asked.questions(Form(), WNUT))
    assert all('<Context>: "w0 w1 w2 w3"' in prompt for prompt in (first, second))
    assert '"w2"' in first
    assert '"w0 w1"' in second


@pytest.mark.parametrize(("form", "questions"), [("per-span", 3), ("packed", 2), ("propose", 2)])
def test_a_form_asks_in_its_own_number_of_calls(form: FormName, questions: int) -> None:
    one = of_one(scored(0, 1, person=0.6), plausible=(scored(2, 3, person=0.4),), gold=((0, 1, "person"),))
    both = local.pooled([one, of_one(scored(3, 4, person=0.7))])
    replies = [RecordedReply((), {Span(0, 1): "location"}), RecordedReply((), {})]
    linked = link_all(both, detector=DETECTOR, judge=ReplayJudge(replies, WNUT, Form(name=form)))
    assert (linked.candidates, linked.unanswered, linked.spent.questions) == (3, 0, questions)
    assert [[(one.span, one.label) for one in entities] for entities in linked.entities] == [
        [(Span(0, 1), "location")],
        [],
    ]


def test_what_the_llm_adds_is_linked_where_the_form_lets_it() -> None:
    found = of_one(scored(0, 1, person=0.6), gold=((0, 1, "person"), (3, 5, "group")))
    replies = [RecordedReply(found.sentences[0].entities, {})]
    packed, proposed = (
        link_all(found, detector=DETECTOR, judge=ReplayJudge(replies, WNUT, Form(name=name)))
        for name in ("packed", "propose")
    )
    assert [one.span for one in packed.entities[0]] == [Span(0, 1)]
    assert [(one.span, one.label, one.reason) for one in proposed.entities[0]] == [
        (Span(0, 1), "person", None),
        (Span(3, 5), "group", "proposed"),
    ]
    assert proposed.spent.questions == packed.spent.questions == 1
    assert proposed.spent.completion_tokens > packed.spent.completion_tokens


def test_of_several_replies_to_a_question_the_last_counts_and_no_more_is_taken_than_needed() -> None:
    asked = Asked(0, sentence(), (Span(0, 1), Span(1, 2)))
    texts = ['{"1": "person"}', '{"1": "group", "2": "Non-entity"}', '{"1": "location", "2": "group"}']
    taken: list[str] = []

    def replies(_: object) -> Iterator[tuple[str, Spent]]:
        for text in texts:
            taken.append(text)
            yield text, Spent(1, 0, 10, 5)

    verdict = verdict_on(asked, form=Form(name="packed"), label_set=WNUT, replies=replies)
    assert verdict == Verdict({Span(0, 1): "group", Span(1, 2): OUTSIDE}, Spent(2, 0, 20, 10))
    assert taken == texts[:2]


def test_replies_with_labels_of_another_set_are_refused() -> None:
    reply = RecordedReply(entities=(LabelledSpan(Span(0, 1), "PER"),), answers={Span(0, 1): OUTSIDE})
    with pytest.raises(InputError, match=r"expected labels of wnut17: .*; got PER"):
        ReplayJudge([reply], WNUT)
