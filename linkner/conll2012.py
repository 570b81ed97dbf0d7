"""OntoNotes as CoNLL-2012 has it: one word a line in many columns, names as brackets in the eleventh."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from linkner.errors import FileFormatError
from linkner.spans import OUTSIDE

DOCUMENT_START = "#begin document"
"""How the first line of such a file begins."""

_WORD, _NAMES = 3, 10  # columns, from 0
_NOT_FILLED_IN = "[WORD]"
_BRACKETS = re.compile(r"(?:\((?P<opens>[^()*\s]+))?\*?(?P<closes>\))?")


def as_bio(lines: Iterable[str], *, path: str) -> Iterator[str]:
    """The same lines as `word TAB tag` in BIO, one for each, so that line numbers stay; others are blank.

    Raises:
        FileFormatError: a line is no word's, its brackets fit no flat entity, or the words were left out (as
            in the files that the shared task gave to those without the licence). `path` is named in it.
    """
    label: str | None = None
    for number, raw in enumerate(lines, start=1):
        columns = raw.split()
        if not columns or columns[0].startswith("#"):
            if label is not None:
                raise _unfit(f"the entity {label} does not end in its sentence", path, number)
            yield ""
            continue
        word, brackets = _word(columns, path=path, number=number)
        found = _BRACKETS.fullmatch(brackets)
        opens, closes = (found["opens"], found["closes"]) if found else (None, None)
        if found is None or (opens and label) or (closes and not (opens or label)):
            raise _unfit("the brackets of the names do not pair up", path, number, got=repr(brackets)[:80])
        label = opens or label
        prefix = "B" if opens else "I"
        yield f"{word}\t{OUTSIDE if label is None else f'{prefix}-{label}'}"
        if closes:
            label = None


def _word(columns: list[str], *, path: str, number: int) -> tuple[str, str]:
    """The word and its brackets."""
    if len(columns) <= _NAMES:
        raise _unfit("not a word's line of CoNLL-2012", path, number, got=f"{len(columns)} columns")
    if columns[_WORD] == _NOT_FILLED_IN:
        raise FileFormatError(
            "the words have been left out of this file",
            path=path,
            line=number,
            hint="fill them in from OntoNotes 5.0 with the script of the CoNLL-2012 shared task",
        )
    return columns[_WORD], columns[_NAMES]


def _unfit(problem: str, path: str, number: int, *, got: str = "") -> FileFormatError:
    return FileFormatError(
        problem,
        path=path,
        line=number,
        expected=f"the word in column {_WORD + 1}; `*`, `(LABEL*`, `*)` or `(LABEL)` in column {_NAMES + 1}",
        got=got,
    )
