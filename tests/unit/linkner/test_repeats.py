"""What copies of a post share, and that no offset is ever wrong."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.repeats import Normalised, normalise, question_key
from linkner.spans import Span

_PIECES = [
    "RT @anna_1: ",
    "RT  @b:\n",
    "https://t.co/a1B2",
    "http://t.co/Zz",
    " ",
    "  ",
    "\n\t",
    "\u00a0",
    "Oslo",
]
_PIECES += ["@anna_1", "x", "🇹🇷", "é", "https://example.org/Oslo", ":"]


def spans_of(text: str, surface: str) -> list[Span]:
    start = text.index(surface)
    return [Span(start, start + len(surface))]


def key(text: str, *surfaces: str, model: str = "m", prompt_version: str = "p") -> bytes:
    candidates = [span for surface in surfaces for span in spans_of(text, surface)]
    return question_key(model=model, prompt_version=prompt_version, context=normalise(text, candidates))


@st.composite
def posts(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """A text full of what is left out, and candidates anywhere in it."""
    text = "".join(draw(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=12)))
    start = st.integers(0, len(text) - 1)
    ends = draw(st.lists(st.tuples(start, st.integers(1, 12)), max_size=3))
    return text, [Span(at, min(at + size, len(text))) for at, size in ends]


@pytest.mark.parametrize(
    "copy",
    [
        "RT @some_one: Zork is back in Oslo https://t.co/abcDEF1234",
        "RT @other: RT @some_one: Zork is back in Oslo https://t.co/abcDEF1234",
        "Zork is back  in Oslo\nhttps://t.co/abcDEF1234",
        "  Zork is back in Oslo https://t.co/ZYX \n",
    ],
)
def test_copies_of_a_post_ask_the_same(copy: str) -> None:
    assert key(copy, "Zork", "Oslo") == key("Zork is back in Oslo https://t.co/1", "Zork", "Oslo")


@pytest.mark.parametrize(
    "other",
    [
        "Zork is back in Oslo @jo https://example.org/b",  # another link may be evidence
        "Zork is back in Oslo @al https://example.org/a",  # so may a handle
        "Zork IS back in Oslo @jo https://example.org/a",
        "RT Zork is back in Oslo @jo https://example.org/a",
        "Zork is back in Oslo, @jo https://example.org/a",
    ],
)
def test_what_may_be_evidence_makes_another_question(other: str) -> None:
    assert key(other, "Zork") != key("Zork is back in Oslo @jo https://example.org/a", "Zork")


def test_every_part_of_the_key_counts() -> None:
    text = "Zork met Zork"
    keys = [
        key(text, "Zork"),
        key(text, "Zork", model="n"),
        key(text, "Zork", prompt_version="q"),
        key(text, "Zork met Zork"),
        question_key(model="m", prompt_version="p", context=normalise(text, [Span(9, 13)])),
        question_key(model="m", prompt_version="p", context=normalise(text, [Span(0, 4), Span(9, 13)])),
    ]
    assert len(set(keys)) == len(keys)


def test_the_order_of_the_candidates_does_not_count() -> None:
    assert key("Zork in Oslo", "Zork", "Oslo") == key("Zork in Oslo", "Oslo", "Zork")


def test_what_touches_a_candidate_stays() -> None:
    text = "RT @anna: hi  there https://t.co/abc"
    assert normalise(text, spans_of(text, "anna")).text == "RT @anna: hi there https://t.co/"
    assert normalise(text, spans_of(text, "hi  there")).text == "hi  there https://t.co/"
    assert normalise(text, spans_of(text, "co/abc")).text == "hi there https://t.co/abc"


@given(posts())
def test_a_candidate_keeps_its_surface_and_place(post: tuple[str, list[Span]]) -> None:
    text, candidates = post
    context = normalise(text, candidates)
    assert [context.to_post(span) for span in context.candidates] == sorted(candidates)
    assert [span.of(context.text) for span in context.candidates] == surfaces(text, sorted(candidates))


def surfaces(text: str, spans: Iterable[Span]) -> list[str]:
    return [span.of(text) for span in spans]


@given(posts(), st.data())
def test_any_span_leads_back_to_what_it_says_or_nowhere(
    post: tuple[str, list[Span]], data: st.DataObject
) -> None:
    text, candidates = post
    context = normalise(text, candidates)
    start = data.draw(st.integers(0, len(text) + 2))
    span = Span(start, data.draw(st.integers(start + 1, len(text) + 4)))
    there = context.to_post(span)
    if there is not None:
        assert there.of(text).split() == span.of(context.text).split()
        assert context.to_normalised(there) == span
    elif span.end <= len(context.text):
        assert len(span) < context.offsets[span.end - 1] + 1 - context.offsets[span.start]


@given(posts())
def test_normalising_again_changes_nothing(post: tuple[str, list[Span]]) -> None:
    once = normalise(*post)
    assert normalise(once.text, once.candidates).text == once.text


@given(posts())
def test_only_white_space_is_ever_replaced(post: tuple[str, list[Span]]) -> None:
    text, candidates = post
    context = normalise(text, candidates)
    replaced = [
        (new, text[at]) for new, at in zip(context.text, context.offsets, strict=True) if new != text[at]
    ]
    assert all(new == " " and old in "\n\t" for new, old in replaced)


def test_a_long_run_of_white_space_is_no_trouble() -> None:
    text = "a" + " " * 200_000 + "b"
    assert normalise(text, []).text == "a b"


def test_a_text_without_repeats_is_itself() -> None:
    assert normalise("Zork", []) == Normalised("Zork", (0, 1, 2, 3), ())
