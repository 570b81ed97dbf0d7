"""Words of posts: the invariants on any string, and the conventions one by one."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linkner.spans import Span
from linkner.text import to_text, to_words, words

_PIECES = [
    "#SaudiAramco", "##", "@teacher_s", "https://t.co/a1)", "www.", "http://", "U.S.", "AT&amp;T", "&lt;",
    "don't", "Ada's", "’s", "$1,000.50", "30%", ":-)", "<3", "e\u0301", "\u0301", "\u200d", "\u200b",
    "\ufe0f", "1\ufe0f\u20e3", "\u202b", "\u00a0", "\u2028", "\x00",
    "👨‍👩‍👧", "👍🏽", "🇳🇴", "🇳", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "東京", "カレー", "สวัสดี", "नमस्ते", "مرحبا", "서울",
    "\x1f", " ", "\n", "_", "-", "'", "'s", "A", "z", "٣", "²", "…", "𝒜", "ǅ",
]  # fmt: skip

posts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(_PIECES), max_size=25).map("".join),
    st.lists(st.one_of(st.sampled_from(_PIECES), st.characters()), max_size=25).map("".join),
)


def _cut(text: str) -> list[str]:
    return [word.of(text) for word in words(text)]


@settings(max_examples=1000)
@given(posts)
@example("#\u0301Tag#_#A\u0301B")
@example("\ud800 lone surrogate")
def test_each_visible_code_point_is_in_exactly_one_word(text: str) -> None:
    found = words(text)
    covered = [position for word in found for position in range(word.start, word.end)]
    visible = [position for position, character in enumerate(text) if not character.isspace()]
    assert covered == visible  # so words are in order, do not overlap and hold no white space


@given(posts, st.data())
def test_word_spans_round_trip(text: str, data: st.DataObject) -> None:
    found = words(text)
    if not found:
        return
    start = data.draw(st.integers(0, len(found) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(found))))
    outer = to_text(found, span)
    assert (outer.start, outer.end) == (found[span.start].start, found[span.end - 1].end)
    assert to_words(found, outer) == span


@given(posts, st.integers(0, 65), st.integers(1, 20))
def test_a_text_span_is_a_word_span_exactly_where_its_ends_are_word_boundaries(
    text: str, start: int, length: int
) -> None:
    found, span = words(text), Span(start, start + length)
    inner = to_words(found, span)
    starts, ends = {word.start for word in found}, {word.end for word in found}
    assert (inner is not None) == (span.start in starts and span.end in ends)
    if inner is not None:
        assert to_text(found, inner) == span


@given(posts, posts)
def test_white_space_always_separates(one: str, other: str) -> None:
    moved = len(one) + 1
    shifted = [Span(word.start + moved, word.end + moved) for word in words(other)]
    assert list(words(f"{one} {other}")) == [*words(one), *shifted]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada Lovelace, maths.", "Ada|Lovelace|,|maths|."),
        ("Oslo's fjord isn't O'Neill’s", "Oslo|'s|fjord|isn't|O'Neill|’s"),
        ("the boys' 'Fellowship' 'm", "the|boys|'|'|Fellowship|'|'m"),
        ("rt @teacher_s: hi @_x", "rt|@|teacher_s|:|hi|@|_x"),
        ("#SaudiAramco #NBAFinals2024", "#|Saudi|Aramco|#|NBA|Finals|2024"),
        ("#bradpitt #WWE #iPhone #ÉcoleÀParis", "#|bradpitt|#|WWE|#|i|Phone|#|École|À|Paris"),
        ("#snake_case_tag #東京Tower", "#|snake|_|case|_|tag|#|東|京|Tower"),
        ("see https://t.co/aB1?x=1#top.", "see|https://t.co/aB1?x=1#top|."),
        ("(www.example.org/a_b) 'http://x.no'", "(|www.example.org/a_b|)|'|http://x.no|'"),
        ("HTTPS://t… https://日本", "HTTPS://t|…|https://|日|本"),
        ("$1,000.50 30% 12:30 24/7 8-10pm 1.", "$1,000.50|30%|12:30|24/7|8-10pm|1|."),
        ("U.S. at 9 p.m. N.W.A! end.Next", "U.S.|at|9|p.m.|N.W.A|!|end|.|Next"),
        ("R&B AT&amp;T salt&pepper a &lt; b &#39;", "R&B|AT&amp;T|salt|&|pepper|a|&lt;|b|&#39;"),
        ("Jean-Luc -Cuba Obi- Iran/Libya", "Jean-Luc|-|Cuba|Obi|-|Iran|/|Libya"),
        ("Ke$ha David_Speers _it_ *wow*", "Ke$ha|David_Speers|_|it|_|*|wow|*"),
        ("no... what?!! -- ok", "no|...|what|?|!!|--|ok"),
        ("fun :) :-D <3 :Dog", "fun|:)|:-D|<3|:|Dog"),
        ("“Dune”—now…", "“|Dune|”|—|now|…"),
        ("Ghost👻👻 love❤️", "Ghost|👻|👻|love|❤️"),
        ("👨‍👩‍👧👍🏽🇳🇴🇸🇪🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👨‍👩‍👧|👍🏽|🇳🇴|🇸🇪|🏴󠁧󠁢󠁳󠁣󠁴󠁿"),
        ("1️⃣st Game®", "1️⃣st|Game|®"),
        ("東京タワー", "東|京|タ|ワ|ー"),
        ("สวัสดี", "ส|วั|ส|ดี"),
        ("हिन्दी भाषा", "हिन्दी|भाषा"),
        ("مرحبا بالعالم", "مرحبا|بالعالم"),
        ("می‌خواهم", "می‌خواهم"),
        ("cafe\u0301 n\u0303", "cafe\u0301|n\u0303"),
        ("a\u00a0b\u2003c\u3000d", "a|b|c|d"),
        ("zero\u200bwidth", "zero|\u200b|width"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_a_convention(text: str, expected: str) -> None:
    assert _cut(text) == (expected.split("|") if expected else [])


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("watch #SaudiAramco now", "Saudi Aramco".replace(" ", "")),
        ("by @stephen via", "stephen"),
        ("via @BBC's desk", "BBC"),
        ("昨日東京で", "東京"),
        ('the "Turncoat" film', "Turncoat"),
        ("Russia’s bank", "Russia"),
        ("go 🇳🇴Norway!", "Norway"),
        ("Iran/Libya/Sudan", "Libya"),
    ],
)
def test_a_name_inside_other_characters_is_a_word_span(text: str, surface: str) -> None:
    start = text.index(surface)
    found = words(text)
    inner = to_words(found, Span(start, start + len(surface)))
    assert inner is not None
    assert to_text(found, inner).of(text) == surface


@pytest.mark.parametrize(
    "unit",
    [
        "a", "A", "a'", "a-", "a.", "1.", "1,", "_", "#", "#A", "#Aa", "#a\u0301", "@a", "&amp", "&a", "A&",
        "A&amp;", "www.", "www. ", "http://", "http://!", "!", "'", "$", ":", ":)", "<3", "e\u0301", "\u0301",
        "\u200d", "👨\u200d", "🇳", "東", "東\u0e31", "-'", "a_", "A.a", "😀🏽\u200d",
    ],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_long_repetitions_take_linear_work(unit: str) -> None:
    """A search that goes back over what it has seen would need 10^10 steps and run into the time limit."""
    text = unit * (200_000 // len(unit)) + "!"
    found = words(text)
    assert found[0].start == 0
    assert found[-1].end == len(text)
