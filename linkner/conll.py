"""CoNLL column files: one word a line, its tag in the last column, a blank line between sentences.

The tagging scheme is not asked for: each tag rules out the schemes in which it could not stand there, and a
file whose tags leave none is refused at the line that contradicts the earlier ones. BMES and BILOU are
BIOES with other letters. OntoNotes in the form of CoNLL-2012 is read as well.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path

from linkner import conll2012
from linkner.errors import FileFormatError, InputError
from linkner.spans import OUTSIDE, LabelledSpan, Span
from linkner.writing import replacing

_BIO, _IOB1, _BIOES = "BIO", "IOB1", "BIOES"
_PREFIXES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
BETWEEN_TEXTS = ("-DOCSTART-", "###MEDLINE:", "IMGID:")
"""Beginnings of lines that come before a text, in corpora of news, of abstracts and of posts with images."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of one sentence and its entities, in word offsets and text order."""

    words: tuple[str, ...]
    entities: tuple[LabelledSpan, ...]

    @property
    def text(self) -> str:
        """The sentence as a post: its words, joined by spaces."""
        return " ".join(self.words)

    def surface(self, span: Span) -> str:
        """The words of a span, joined by spaces."""
        return " ".join(self.words[span.start : span.end])

    def to_text(self, span: Span) -> Span:
        """The code points of `text` that the words of a span stand at."""
        start = sum(len(word) + 1 for word in self.words[: span.start])
        return Span(start, start + len(self.surface(span)))

    def to_words(self, span: Span) -> Span:
        """The words that a span of `text` touches; it is not a space alone."""
        ends = list(accumulate(len(word) + 1 for word in self.words))
        return Span(bisect_right(ends, span.start), bisect_left(ends, span.end) + 1)


def read(path: str | Path, *, strict: bool = True) -> list[Sentence]:
    """All sentences of a UTF-8 file; see `parse`.

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: a line cannot be read; the error has its number.
    """
    try:
        with Path(path).open("rb") as file:
            return list(parse(_decode(file, str(path)), path=str(path), strict=strict))
    except OSError as error:
        raise InputError(f"cannot read {path}", got=error.strerror or str(error)) from error


def parse(lines: Iterable[str], *, path: str = "<lines>", strict: bool = True) -> Iterator[Sentence]:
    """The sentences of lines in column form, as they come; nothing but the current sentence is held.

    Columns are separated by tabs where the line has one, else by spaces; there are at least two. Where not
    `strict`, tags may be of several schemes: an entity then begins where the one before it cannot go on.

    Raises:
        FileFormatError: a line without a tag, a tag that is not `O` or scheme-label, or a tag that fits no
            scheme together with the ones before it. `path` is named in it.
    """
    decoder = _Decoder(path, strict)
    words: list[str] = []
    for number, raw in enumerate(_as_columns(lines, path), start=1):
        line = raw.rstrip("\r\n")
        if not line.strip(" \t") or line.startswith(BETWEEN_TEXTS):
            if words:
                yield Sentence(tuple(words), decoder.end_sentence(len(words), number))
                words = []
            continue
        word, tag = _columns(line, path=path, number=number)
        if not word and tag == OUTSIDE:
            continue  # the word was white space that a tool has stripped; corpora of posts have some
        decoder.add(len(words), tag, number)
        words.append(word)
    if words:
        yield Sentence(tuple(words), decoder.end_sentence(len(words), number))


def write(path: str | Path, sentences: Iterable[Sentence]) -> None:
    """Write the sentences as UTF-8 columns, `word TAB tag` in BIO; `read` gives them back, but for lines
    that look like one between two texts (`BETWEEN_TEXTS`).

    Raises:
        InputError: the file cannot be written.
    """
    with replacing(path) as file:
        for sentence in sentences:
            rows = zip(sentence.words, _tags(sentence), strict=True)
            file.write("".join(f"{word}\t{tag}\n" for word, tag in rows) + "\n")


def _tags(sentence: Sentence) -> list[str]:
    tags = [OUTSIDE] * len(sentence.words)
    for entity in sentence.entities:
        first, *others = range(entity.span.start, entity.span.end)
        tags[first] = f"B-{entity.label}"
        for place in others:
            tags[place] = f"I-{entity.label}"
    return tags


def _as_columns(lines: Iterable[str], path: str) -> Iterable[str]:
    """The lines, or what they say in columns where they are of CoNLL-2012."""
    rest = iter(lines)
    first = next(rest, "")
    whole = chain((first,), rest)
    return conll2012.as_bio(whole, path=path) if first.startswith(conll2012.DOCUMENT_START) else whole


def _decode(file: Iterable[bytes], path: str) -> Iterator[str]:
    for number, raw in enumerate(file, start=1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise FileFormatError(
                "the line is not UTF-8",
                path=path,
                line=number,
                got=f"byte 0x{raw[error.start]:02x} at column {error.start + 1}",
                hint="convert the file to UTF-8",
            ) from error


def _columns(line: str, *, path: str, number: int) -> tuple[str, str]:
    """The first and the last column. Only tabs and ASCII spaces separate: words may be odd Unicode."""
    columns = line.split("\t") if "\t" in line else [column for column in line.split(" ") if column]
    tag = columns[-1].strip(" ")
    if len(columns) < 2 or not tag or not (columns[0] or tag == OUTSIDE):
        raise FileFormatError(
            "a word without a tag or a tag without a word",
            path=path,
            line=number,
            expected="two columns or more, separated by a tab or spaces",
            got=repr(line)[:80],
        )
    return columns[0], tag


@dataclass(slots=True)
class _Decoder:
    """Turns the tags of one file into entities and keeps the schemes that all of them fit."""

    path: str
    strict: bool
    schemes: frozenset[str] = frozenset({_BIO, _IOB1, _BIOES})
    start: int | None = None
    label: str = ""
    entities: list[LabelledSpan] = field(default_factory=list)

    def add(self, position: int, tag: str, line: int) -> None:
        """Take the tag of the word at `position` of the sentence."""
        prefix, label = self._split(tag, line)
        continues = prefix in ("I", "E") and self.start is not None and self.label == label
        if not continues:
            adjacent = self.start is not None and self.label == label
            self._break_off(position, tag, line)
            self._begin(position, prefix, label, adjacent=adjacent, tag=tag, line=line)
        if prefix in ("E", "S"):
            self._keep_schemes(tag, line, _BIOES)
            self._close(position + 1)

    def end_sentence(self, length: int, line: int) -> tuple[LabelledSpan, ...]:
        """The entities of the sentence of `length` words that ends before `line`."""
        self._break_off(length, "the end of the sentence", line)
        entities, self.entities = tuple(self.entities), []
        return entities

    def _begin(self, position: int, prefix: str, label: str, *, adjacent: bool, tag: str, line: int) -> None:
        """Open an entity; how it begins tells the schemes apart."""
        if prefix == "O":
            return
        if prefix == "B" and not adjacent:
            self._keep_schemes(tag, line, _BIO, _BIOES)
        elif prefix == "I":
            self._keep_schemes(tag, line, _IOB1)
        elif prefix == "E":
            self._keep_schemes(tag, line)
        self.start, self.label = position, label

    def _break_off(self, position: int, tag: str, line: int) -> None:
        """End the open entity, if any, without an E- tag."""
        if self.start is not None:
            self._keep_schemes(tag, line, _BIO, _IOB1)
            self._close(position)

    def _close(self, end: int) -> None:
        if self.start is not None:
            self.entities.append(LabelledSpan(Span(self.start, end), self.label))
            self.start = None

    def _keep_schemes(self, tag: str, line: int, *schemes: str) -> None:
        left = self.schemes.intersection(schemes)
        if not left and self.strict:
            raise FileFormatError(
                f"{tag} does not follow from the tags before it",
                path=self.path,
                line=line,
                expected=f"tags of one scheme; so far the file is {' or '.join(sorted(self.schemes))}",
                hint="entities begin with B- or S- in BIO and BIOES, and end with E- or S- in BIOES",
            )
        self.schemes = left or self.schemes

    def _split(self, tag: str, line: int) -> tuple[str, str]:
        if tag == OUTSIDE:
            return "O", ""
        prefix, hyphen, label = tag.partition("-")
        if prefix not in _PREFIXES or not hyphen or not label:
            raise FileFormatError(
                "the last column is not a tag",
                path=self.path,
                line=line,
                expected="O or a letter of BIO, BIOES, BMES or BILOU, a hyphen and a label, as in B-person",
                got=repr(tag)[:80],
            )
        return _PREFIXES[prefix], label
