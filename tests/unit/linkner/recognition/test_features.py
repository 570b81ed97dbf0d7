from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkner.errors import ConfigurationError
from linkner.recognition.encoder import load_tokeniser
from linkner.recognition.features import (
    MAX_PIECES_PER_WORD,
    SHAPE_BITS,
    Vectoriser,
    by_token_budget,
    word_shape,
)

WINDOW, MAX_SPAN_LENGTH = 66, 2  # as small as it may be: 8 words of 8 pieces


@pytest.fixture(scope="module")
def vectoriser(tiny_encoder: str) -> Vectoriser:
    return Vectoriser(load_tokeniser(tiny_encoder), window=WINDOW, max_span_length=MAX_SPAN_LENGTH)


@pytest.mark.parametrize(
    "words",
    [
        ("Paris", "Rome"),
        ("NASA", "BBC"),
        ("iPhone", "eBay"),
        ("2017", "42"),
        ("!?", "..."),
        ("#Paris", "#Rome"),
        ("@paul", "@anna"),
        ("https://a.b/C", "www.x.y/Z"),
    ],
)
def test_words_of_one_shape_are_alike_and_the_others_differ(words) -> None:
    first, second = map(word_shape, words)
    assert first == second
    assert first != word_shape("tree")


def test_the_shape_of_a_hashtag_shows_the_case_of_its_body() -> None:
    assert word_shape("#Paris") & word_shape("Paris") == word_shape("Paris")


@given(st.text())
def test_every_string_has_a_shape(word) -> None:
    assert 0 <= word_shape(word) < 1 << SHAPE_BITS


word_strategy = st.text(alphabet="abcdeXY019.é世\u200b", min_size=1, max_size=20)


@settings(max_examples=50, deadline=None)
@given(sentences=st.lists(st.lists(word_strategy, max_size=60), max_size=4))
def test_windows_fit_and_own_every_start_once_with_its_spans_whole(vectoriser, sentences) -> None:
    owned: list[list[int]] = [[] for _ in sentences]
    for window in vectoriser.windows(sentences):
        count = len(sentences[window.sentence])
        assert window.length <= WINDOW
        assert all(1 <= len(pieces) <= MAX_PIECES_PER_WORD for pieces in window.pieces)
        for start in range(*window.owned):
            owned[window.sentence].append(window.first + start)
            needed = min(window.first + start + MAX_SPAN_LENGTH, count)
            assert needed <= window.first + len(window.pieces)
    assert owned == [list(range(len(words))) for words in sentences]


def test_a_word_without_wordpieces_is_read_as_unknown(vectoriser) -> None:
    (window,) = vectoriser.windows([["a", "\u200b", "\ud800"]])
    assert window.pieces[1:] == ((vectoriser.unknown,),) * 2


def test_collate_pads_and_keeps_track_of_words(vectoriser) -> None:
    batch = vectoriser.collate(list(vectoriser.windows([["ab", "c"], ["d"]])))
    assert batch.attention.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch.word_of_token.tolist() == [[-1, 0, 0, 1, -1], [-1, 0, -1, -1, -1]]
    assert batch.words.tolist() == [2, 1]
    assert batch.span_mask(2).tolist() == [
        [[True, True], [True, False]],
        [[True, False], [False, False]],
    ]


@settings(max_examples=30, deadline=None)
@given(sentences=st.lists(st.lists(word_strategy, min_size=1, max_size=40), max_size=12))
def test_batches_keep_the_token_budget_and_every_window(vectoriser, sentences) -> None:
    windows = list(vectoriser.windows(sentences))
    batches = list(by_token_budget(windows, budget=100))
    assert sorted(map(id, (window for batch in batches for window in batch))) == sorted(map(id, windows))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(window.length for window in batch) <= 100


def test_a_window_too_small_for_the_spans_is_refused(tiny_encoder) -> None:
    with pytest.raises(ConfigurationError, match="too small"):
        Vectoriser(load_tokeniser(tiny_encoder), window=WINDOW - 1, max_span_length=MAX_SPAN_LENGTH)


@pytest.mark.parametrize(
    "change",
    [{"is_fast": False}, {"cls_token_id": None}, {"sep_token_id": None}, {"pad_token_id": None}],
)
def test_a_tokeniser_without_offsets_or_special_tokens_is_refused(change) -> None:
    given = {"is_fast": True, "cls_token_id": 1, "sep_token_id": 2, "pad_token_id": 0, **change}
    with pytest.raises(ConfigurationError, match="tokeniser does not fit; expected a fast tokeniser"):
        Vectoriser(SimpleNamespace(**given), window=WINDOW, max_span_length=MAX_SPAN_LENGTH)
