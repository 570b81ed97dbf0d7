from __future__ import annotations

import pytest

from linkner.conll import Sentence
from linkner.detection import Detector
from linkner.labels import label_set
from linkner.replies import RecordedReply
from linkner.spans import Span
from tests.unit.trainer.evaluation.examples import recognised
from trainer.evaluation.linked import Asked, ReplayJudge, candidates_of, link_all

DETECTOR = Detector(threshold=0.3, epsilon=0.3, max_questions=8)


def judge() -> ReplayJudge:
    """An LLM that knows the gold entities, and named them by themselves."""
    gold = [sentence.entities for sentence in recognised().sentences]
    return ReplayJudge([RecordedReply(entities, {}) for entities in gold], label_set("wnut17"))


def test_deployed_candidates_are_the_uncertain_entities_and_the_plausible_spans() -> None:
    found = [
        [one.span for one in candidates_of(sentence, recognition, detector=DETECTOR, protocol="deployed")]
        for sentence, recognition in recognised()
    ]

    assert found == [[Span(3, 5)], [Span(2, 3)], [Span(4, 5)]]


def test_paper_candidates_hold_gold_that_the_model_labelled_outside_whatever_its_probability() -> None:
    blind = Detector(threshold=0.3, epsilon=1.0, max_questions=8)
    first = next(iter(recognised()))

    found = candidates_of(*first, detector=blind, protocol="paper")

    assert [one.span for one in found] == [Span(3, 5)]
    assert candidates_of(*first, detector=blind, protocol="deployed") == ()


def test_linking_takes_the_answers_and_counts_what_they_cost() -> None:
    linked = link_all(recognised(), detector=DETECTOR, judge=judge(), protocol="deployed")

    assert linked.scores(recognised().sentences).micro.f1 == 1.0
    assert (linked.posts_asked, linked.candidates, linked.questions) == (3, 3, 3)
    assert linked.llm_share == pytest.approx(2 / 3)  # the first entity was certain
    assert linked.prompt_tokens > 100
    assert linked.completion_tokens >= 3


def test_without_candidates_nothing_is_asked() -> None:
    certain = Detector(threshold=1.0, epsilon=1.0, max_questions=8)

    linked = link_all(recognised(), detector=certain, judge=judge(), protocol="deployed")

    assert (linked.questions, linked.prompt_tokens, linked.llm_share) == (0, 0, 0.0)
    assert linked.scores(recognised().sentences).micro.correct == 1


def test_the_prompt_shows_the_words_as_a_post_and_the_candidate_in_its_place() -> None:
    asked = Asked(Sentence(("¡Olé", "in", "Madrid", "!"), ()), (Span(2, 3), Span(0, 2)))

    questions = [prompt.user for prompt in asked.prompts(label_set("wnut17"))]

    assert all('"¡Olé in Madrid !"' in question for question in questions)
    assert ['of "Madrid" in' in question for question in questions] == [True, False]
