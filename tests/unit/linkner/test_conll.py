"""CoNLL files: every scheme, odd tokens, and errors that name the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.conll import BETWEEN_TEXTS, Sentence, parse, read, write
from linkner.errors import FileFormatError, InputError
from linkner.spans import LabelledSpan, Span
from tests.unit.linkner.strategies import flat_entities

_LETTERS = {"BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU"}


def _closed(scheme: str) -> Callable[[LabelledSpan, str | None], list[str]]:
    begin, inside, end, single = _LETTERS[scheme]

    def letters(entity: LabelledSpan, _: str | None) -> list[str]:
        size = len(entity.span)
        return [single] if size == 1 else [begin, *[inside] * (size - 2), end]

    return letters


def _bio(entity: LabelledSpan, _: str | None) -> list[str]:
    return ["B", *"I" * (len(entity.span) - 1)]


def _iob1(entity: LabelledSpan, previous: str | None) -> list[str]:
    return ["B" if previous == entity.label else "I", *"I" * (len(entity.span) - 1)]


SCHEMES = {"BIO": _bio, "IOB1": _iob1} | {name: _closed(name) for name in _LETTERS}

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n "), min_size=1, max_size=8
).filter(lambda word: not word.startswith(BETWEEN_TEXTS))


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    found = draw(st.lists(words, min_size=1, max_size=8))
    return Sentence(tuple(found), draw(flat_entities(length=len(found))))


def _lines(sentence: Sentence, scheme: str, *, separator: str, middle: str) -> Iterator[str]:
    tags = ["O"] * len(sentence.words)
    labels_by_end: dict[int, str] = {}
    for entity in sentence.entities:
        letters = SCHEMES[scheme](entity, labels_by_end.get(entity.span.start))
        for offset, letter in enumerate(letters):
            tags[entity.span.start + offset] = f"{letter}-{entity.label}"
        labels_by_end[entity.span.end] = entity.label
    for word, tag in zip(sentence.words, tags, strict=True):
        yield separator.join([word, *([middle] if middle else []), tag])
    yield ""


@given(
    st.lists(sentences(), max_size=4),
    st.sampled_from(sorted(SCHEMES)),
    st.sampled_from(["\t", " ", "   "]),
    st.sampled_from(["", "NNP"]),
    st.sampled_from(["\n", "\r\n", ""]),
)
def test_what_a_scheme_writes_is_read_back(
    written: list[Sentence], scheme: str, separator: str, middle: str, ending: str
) -> None:
    lines = (
        line + ending
        for sentence in written
        for line in _lines(sentence, scheme, separator=separator, middle=middle)
    )
    assert list(parse(lines)) == written


def _entities(*tags: str) -> list[tuple[int, int, str]]:
    (sentence,) = parse(f"w\t{tag}" for tag in tags)
    return [(entity.span.start, entity.span.end, entity.label) for entity in sentence.entities]


def test_a_label_may_have_hyphens() -> None:
    assert _entities("B-creative-work", "I-creative-work") == [(0, 2, "creative-work")]


def test_another_label_ends_an_iob1_entity() -> None:
    assert _entities("I-person", "I-group", "I-group", "B-group") == [
        (0, 1, "person"),
        (1, 3, "group"),
        (3, 4, "group"),
    ]


def test_an_entity_ends_with_its_sentence_without_a_last_blank_line() -> None:
    assert [sentence.entities for sentence in parse(["a\tB-x", "", "b\tB-x", "c\tI-x"])] == [
        (LabelledSpan(Span(0, 1), "x"),),
        (LabelledSpan(Span(0, 2), "x"),),
    ]


def test_document_starts_and_repeated_blank_lines_hold_no_sentence() -> None:
    lines = ["-DOCSTART- -X- O O", "", "", "a O", "-DOCSTART- O", " \t ", "b O"]
    assert [sentence.words for sentence in parse(lines)] == [("a",), ("b",)]


def test_only_tabs_and_ascii_spaces_separate_columns() -> None:
    (sentence,) = parse(["a\u00a0b\u2003c\tO", "New York\tB-x", "\u200b\tI-x"])
    assert sentence.words == ("a\u00a0b\u2003c", "New York", "\u200b")


def test_a_word_that_a_tool_has_stripped_to_nothing_is_left_out() -> None:
    (sentence,) = parse(["a\tO", "\tO", "b\tB-x"])
    assert sentence == Sentence(("a", "b"), (LabelledSpan(Span(1, 2), "x"),))


def test_parsing_streams() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield from ("a\tB-x", "")

    reader = parse(endless())
    assert [next(reader).words for _ in range(3)] == [("a",)] * 3


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["a\tO", "word"], 2, "a word without a tag"),
        (["a O", "b\t"], 2, "a word without a tag"),
        (["\tB-x"], 1, "a tag without a word"),
        (["a\tO", "", "b\tNNP"], 3, "the last column is not a tag"),
        (["a\tB"], 1, "the last column is not a tag"),
        (["a\tB-"], 1, "the last column is not a tag"),
        (["a\tX-person"], 1, "the last column is not a tag"),
        (["a\tb-person"], 1, "the last column is not a tag"),
        (["a\tB-x", "b\tO", "c\tI-x"], 3, "I-x does not follow"),
        (["a\tI-x", "", "c\tB-x"], 3, "B-x does not follow"),
        (["a\tB-x", "b\tI-y"], 2, "I-y does not follow"),
        (["a\tE-x"], 1, "E-x does not follow"),
        (["a\tS-x", "b\tI-x"], 2, "I-x does not follow"),
        (["a\tS-x", "b\tB-x", "c\tO"], 3, "O does not follow"),
        (["a\tS-x", "b\tB-x", ""], 3, "the end of the sentence does not follow"),
        (["a\tB-x", "b\tO", "", "c\tS-x"], 4, "S-x does not follow"),
    ],
)
def test_a_bad_line_is_named(lines: list[str], line: int, message: str) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        list(parse(lines, path="posts.conll"))
    assert (caught.value.path, caught.value.line) == ("posts.conll", line)


def test_an_error_comes_after_the_sentences_before_it() -> None:
    reader = parse(["a\tO", "", "b"])
    assert next(reader).words == ("a",)
    with pytest.raises(FileFormatError):
        next(reader)


def test_a_file_is_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "marked.conll"
    file.write_bytes("\ufeffÅse\tB-x\n\nb\x85\u2028c\tO\n".encode())
    assert [sentence.words for sentence in read(file)] == [("Åse",), ("b\x85\u2028c",)]


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.conll"
    file.write_bytes(b"a\tO\n\xc5se\tB-x\n")
    with pytest.raises(FileFormatError, match="byte 0xc5 at column 1") as caught:
        read(file)
    assert (caught.value.path, caught.value.line) == (str(file), 2)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere"):
        read(tmp_path / "nowhere.conll")


def test_lines_before_abstracts_and_posts_hold_no_words() -> None:
    lines = ["###MEDLINE:123", "", "a\tB-x", "", "IMGID:45", "b\tO"]
    assert [sentence.words for sentence in parse(lines)] == [("a",), ("b",)]


def test_tags_of_several_schemes_are_read_where_that_is_asked_for() -> None:
    lines = ["a\tB-x", "b\tO", "c\tI-x", "d\tI-x", "e\tI-y", "f\tS-y", "g\tE-y"]
    with pytest.raises(FileFormatError):
        list(parse(lines))
    (sentence,) = parse(lines, strict=False)
    found = [(entity.span.start, entity.span.end, entity.label) for entity in sentence.entities]
    assert found == [(0, 1, "x"), (2, 4, "x"), (4, 5, "y"), (5, 6, "y"), (6, 7, "y")]


@given(sentences())
def test_spans_of_words_have_their_place_in_the_text(sentence: Sentence) -> None:
    for entity in sentence.entities:
        surface = sentence.to_text(entity.span).of(sentence.text)
        assert surface == sentence.surface(entity.span)
        assert tuple(surface.split(" ")) == sentence.words[entity.span.start : entity.span.end]


@given(st.lists(sentences(), max_size=4))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[Sentence]
) -> None:
    path = tmp_path_factory.mktemp("conll") / "data.conll"
    write(path, given)
    assert read(path) == given


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write(tmp_path / "missing" / "data.conll", [])


@given(
    st.lists(st.text(st.characters(exclude_characters=" \t\r\n"), min_size=1), min_size=1, max_size=6),
    st.data(),
)
def test_words_lead_to_the_text_and_back(words: list[str], data: st.DataObject) -> None:
    sentence = Sentence(words=tuple(words), entities=())
    start = data.draw(st.integers(0, len(words) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(words))))
    assert sentence.to_words(sentence.to_text(span)) == span
    assert sentence.to_text(span).of(sentence.text) == sentence.surface(span)


def test_a_part_of_a_word_stands_for_the_word() -> None:
    sentence = Sentence(words=("visit", "#NewDelhi", "soon"), entities=())
    assert sentence.text[7:15] == "NewDelhi"
    assert sentence.to_words(Span(7, 15)) == Span(1, 2)
    assert sentence.to_words(Span(10, 18)) == Span(1, 3)
