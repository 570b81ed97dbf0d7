"""Where the entities that the LLM adds stand in the post, and which of them are dropped."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from linkner.classification.proposals import MAX_PROPOSAL_CHARS, MAX_PROPOSALS, find_proposals
from linkner.spans import LabelledSpan, Span
from linkner.text import words

POST = "Oslo loves Oslo Opera; the Yorkshire opera in #NewYork, not Oslo"


def _found(*added: str, candidates: tuple[Span, ...] = (), text: str = POST) -> list[tuple[int, str]]:
    proposals = find_proposals([(one, "location") for one in added], text, candidates=candidates)
    return [(one.span.start, one.span.of(text)) for one in proposals]


def test_a_surface_stands_at_its_first_place() -> None:
    assert _found("Oslo") == [(0, "Oslo")]
    assert _found(" Oslo Opera\n") == [(11, "Oslo Opera")]


def test_a_candidate_s_place_is_passed_over() -> None:
    assert _found("Oslo", candidates=(Span(0, 4),)) == [(11, "Oslo")]
    assert _found("Oslo Opera", candidates=(Span(11, 21),)) == []


def test_a_place_may_overlap_a_candidate_but_no_proposal() -> None:
    assert _found("Oslo Opera", candidates=(Span(11, 15),)) == [(11, "Oslo Opera")]
    assert _found("Oslo Opera", "Oslo", "Oslo", "Oslo") == [(0, "Oslo"), (11, "Oslo Opera"), (60, "Oslo")]
    assert _found("Oslo", "Oslo", "Oslo Opera") == [(0, "Oslo"), (11, "Oslo")]


def test_a_part_of_a_word_is_no_place() -> None:
    assert _found("York") == [(50, "York")]  # the hashtag has it as a word, Yorkshire does not
    assert _found("Yorks", "pera", "slo") == []


def test_what_is_not_in_the_text_is_dropped() -> None:
    assert _found("Bergen", "oslo", "Oslo  Opera", "", " ", "“Oslo”") == []


def test_what_is_too_long_or_too_much_is_dropped() -> None:
    long = "x" * (MAX_PROPOSAL_CHARS + 1)
    assert _found(long, text=long) == []
    assert _found(long[1:], text=long[1:]) == [(0, long[1:])]
    many = [f"n{number}" for number in range(MAX_PROPOSALS + 3)]
    assert [name for _, name in _found(*many, text=" ".join(many))] == many[:MAX_PROPOSALS]


@given(
    st.text("ab #", max_size=30),
    st.lists(st.text("ab #", max_size=4), max_size=12),
    st.lists(st.tuples(st.integers(0, 25), st.integers(1, 4)), max_size=4),
)
def test_every_proposal_is_a_run_of_words_that_is_no_candidate(
    text: str, added: list[str], places: list[tuple[int, int]]
) -> None:
    candidates = [Span(start, start + length) for start, length in places]
    found = find_proposals([(one, "group") for one in added], text, candidates=candidates)
    cut = words(text)
    assert len(found) <= MAX_PROPOSALS
    for proposal in found:
        assert proposal == LabelledSpan(proposal.span, "group")
        assert proposal.span not in candidates
        assert proposal.span.of(text) in {one.strip() for one in added}
        assert proposal.span.start in {word.start for word in cut}
        assert proposal.span.end in {word.end for word in cut}
    assert all(one.span.end <= other.span.start for one, other in pairwise(found))
