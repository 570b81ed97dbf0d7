"""OntoNotes in the form of CoNLL-2012; all lines are written for these tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.conll import Sentence, parse
from linkner.errors import FileFormatError
from linkner.spans import LabelledSpan, Span
from tests.unit.linkner.strategies import flat_entities

START, END = "#begin document (nw/made/up/00/up_0001); part 000", "#end document"


def line(word: str, names: str, *, number: int = 0) -> str:
    """A word's line: its names are in the eleventh column."""
    return f"nw/made/up/00/up_0001   0   {number}   {word}   NNP   (NP*)   -   -   -   -   {names}   -"


def document(*sentences: list[tuple[str, str]]) -> list[str]:
    words = [[line(word, names) for word, names in sentence] for sentence in sentences]
    return [START, *(one for sentence in words for one in (*sentence, "")), END]


def test_names_in_brackets_are_entities() -> None:
    lines = document(
        [("Mina", "(PERSON*"), ("Ravel", "*)"), ("left", "*"), ("Oslo", "(GPE)"), ("Norway", "(GPE)")],
        [("in", "*"), ("late", "(DATE*"), ("May", "*"), ("2031", "*)")],
    )

    assert list(parse(lines)) == [
        Sentence(
            ("Mina", "Ravel", "left", "Oslo", "Norway"),
            (
                LabelledSpan(Span(0, 2), "PERSON"),
                LabelledSpan(Span(3, 4), "GPE"),
                LabelledSpan(Span(4, 5), "GPE"),
            ),
        ),
        Sentence(("in", "late", "May", "2031"), (LabelledSpan(Span(1, 4), "DATE"),)),
    ]


def test_files_may_stand_one_after_the_other() -> None:
    lines = document([("Oslo", "(GPE)")]) + document([("WORK", "(WORK_OF_ART)")])

    assert [sentence.words for sentence in parse(lines)] == [("Oslo",), ("WORK",)]


@st.composite
def made(draw: st.DrawFn) -> Sentence:
    length = draw(st.integers(1, 8))
    return Sentence(tuple(f"w{index}" for index in range(length)), draw(flat_entities(length=length)))


@given(st.lists(made(), max_size=4))
def test_what_is_written_in_brackets_is_read_back(written: list[Sentence]) -> None:
    def brackets(sentence: Sentence) -> list[tuple[str, str]]:
        names = ["*"] * len(sentence.words)
        for entity in sentence.entities:
            names[entity.span.start] = f"({entity.label}{names[entity.span.start]}"
            names[entity.span.end - 1] += ")"
        return [
            (word, name.replace("*)", ")") if name.startswith("(") else name)
            for word, name in zip(sentence.words, names, strict=True)
        ]

    assert list(parse(document(*map(brackets, written)))) == written


@pytest.mark.parametrize(
    ("sentence", "number", "message"),
    [
        ([("a", "(GPE*"), ("b", "(ORG)")], 3, "do not pair up"),
        ([("a", "*)")], 2, "do not pair up"),
        ([("a", "((GPE*)")], 2, "do not pair up"),
        ([("a", "B-GPE")], 2, "do not pair up"),
        ([("a", "(GPE*"), ("b", "*")], 4, "GPE does not end in its sentence"),
        ([("[WORD]", "*")], 2, "the words have been left out"),
    ],
)
def test_a_bad_line_is_named(sentence: list[tuple[str, str]], number: int, message: str) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        list(parse(document(sentence), path="made.gold_conll"))
    assert (caught.value.path, caught.value.line) == ("made.gold_conll", number)


def test_a_line_of_few_columns_is_named() -> None:
    with pytest.raises(FileFormatError, match="got 2 columns"):
        list(parse([START, "Oslo B-GPE"]))
