"""The labels in a reply to one question about several candidates, and the entities that it adds.

The reply asked for is a JSON object: `{"1": "person", "2": "Non-entity", "more": [{"text": …, "type": …}]}`.
What endpoints without structured outputs make of that is read as well: around the object there may be words
or a code fence; it may be cut off, written in the way of Python, nested, or a list; keys may be the spans
themselves; or there are no braces at all, but a line for each number.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from linkner.classification.answers import parse_answer, said
from linkner.labels import LabelSet
from linkner.spans import OUTSIDE

_DECODER = json.JSONDecoder(object_pairs_hook=list)  # pairs: an object may have one key twice
_OPENING = re.compile(r"[{\[](?!\d{1,3}\])")  # [1] is a number, not a list
_MOST_OPENINGS = 64  # brackets that are tried; a reply needs no more, and its writer is not to be trusted
_NUMBER = re.compile(
    r"[\W_]*(?:span|candidate|name|number|no|item|entity)?[\W_]*(\d{1,3})[\W_]*", re.IGNORECASE
)
_TEXT_KEYS = ("text", "span", "name", "surface", "entity", "candidate", "mention", "word")
_PLACE_KEYS = ("number", "id", "index", "no", "n", "span", "candidate")
_LABEL_KEYS = ("type", "label", "answer", "entity_type", "category", "class")
_LINE = re.compile(
    r"""
      (?: ^ | [{,;\n] | (?<=["'])\s | \s(?=\(?\d{1,3}\s*[:.)=]) )       # where a pair may begin
      \s*[-*#>•]*\s*
      (?P<key> ["'<(\[*]*(?:span|candidate|name|no\.?)?\s*\#?\d{1,3}["'>)\]*]* | "[^"\n]+" )
      \s*(?:[:=.)–—-]|->|=>)+\s*
      (?P<value> "[^"\n]*" | '[^'\n]*' | [^\s"'{}\[\]][^,;"{}\[\]\n]*? )
      (?= \s*(?:[,;}\n]|//|$) | \s+["'<(]?\d{1,3}["'>]?\s*[:.)=] )       # where its value may end
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply says: the label of each candidate that it states one of, by the candidate's place from 0,
    and the entities that it adds, as (surface, label), in its order. `OUTSIDE` stands for Non-entity.
    """

    labels: Mapping[int, str]
    added: tuple[tuple[str, str], ...]


def parse_packed(reply: str, surfaces: Sequence[str], label_set: LabelSet) -> Said:
    """Read a reply to a question about candidates of these surfaces.

    A candidate has no label where the reply states none of the set, or two that differ. A reply about a
    single candidate may be its bare label.
    """
    reading = _Reading(surfaces, label_set)
    values, rest = _values(said(reply))
    for value in values:
        with suppress(RecursionError):  # nested deeper than any answer
            reading.add(value)
    lines = [(line["key"].strip("\"'<>()[]* "), line["value"]) for line in _LINE.finditer(rest)]
    stated = set(reading.labels)
    for key, value in lines:
        if reading.place(key) not in stated:
            reading.pair(key, value)
    if not reading.labels and len(surfaces) == 1:
        reading.label(0, rest)
    return reading.result()


def _values(text: str) -> tuple[list[Any], str]:
    """The JSON values of a text, objects as lists of pairs, and what is left of the text without them.

    Of a value that is broken, those whole ones inside it.
    """
    values: list[Any] = []
    rest: list[str] = []
    position = 0
    for _ in range(_MOST_OPENINGS):
        opening = _OPENING.search(text, position)
        if opening is None:
            break
        value, end = _value(text, opening.start())
        rest.append(text[position : opening.start() if value is not None else end])
        if value is not None:
            values.append(value)
        position = end
    return values, "".join(rest) + text[position:]


def _value(text: str, start: int) -> tuple[Any, int]:
    """The value that begins here and where it ends; None and the next place where none does."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return _as_python(text, start)


def _as_python(text: str, position: int) -> tuple[Any, int]:
    """The dictionary or list that ends where the text's last bracket does, else None and the next place."""
    end = max(text.rfind("}"), text.rfind("]")) + 1
    try:
        return _as_pairs(ast.literal_eval(text[position:end])), end
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None, position + 1


def _as_pairs(value: Any) -> Any:
    if isinstance(value, dict):
        return [(str(key), _as_pairs(item)) for key, item in value.items()]
    return [_as_pairs(item) for item in value] if isinstance(value, list | tuple) else value


def _is_object(value: Any) -> bool:
    """Whether a decoded value was an object, which now is a list of pairs; an empty one is none."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, tuple) for item in value)


@dataclass(slots=True)
class _Reading:
    """What was found so far; a candidate with two labels that differ has none."""

    surfaces: Sequence[str]
    label_set: LabelSet
    labels: dict[int, set[str | None]] = field(default_factory=lambda: defaultdict(set))
    added: list[tuple[str, str]] = field(default_factory=list)

    def result(self) -> Said:
        stated = {place: found for place, found in self.labels.items() if len(found) == 1}
        labels = {place: label for place, (label,) in sorted(stated.items()) if label is not None}
        return Said(labels, tuple(dict.fromkeys(self.added)))

    def add(self, value: Any) -> None:
        """Take in an object, or a list of labels in the candidates' order, or of objects."""
        if _is_object(value):
            self._object(value)
        elif isinstance(value, list):
            if len(value) == len(self.surfaces) and all(isinstance(item, str) for item in value):
                for place, item in enumerate(value):
                    self.label(place, item)
            for item in value:
                if isinstance(item, list):
                    self.add(item)

    def _object(self, pairs: Sequence[tuple[str, Any]]) -> None:
        fields = {key.casefold(): value for key, value in pairs}
        label = next((fields[key] for key in _LABEL_KEYS if isinstance(fields.get(key), str)), None)
        if label is None:
            for key, value in pairs:
                self.pair(key, value)
            return
        text = next((fields[key] for key in _TEXT_KEYS if isinstance(fields.get(key), str)), None)
        places = [self.place(fields[key]) for key in _PLACE_KEYS if key in fields]
        place = next((one for one in (*places, self._with_surface(text)) if one is not None), None)
        if place is not None:
            self.label(place, label)
        elif text is None and len(self.surfaces) == 1:
            self.label(0, label)
        elif text is not None and (named := parse_answer(label, self.label_set)) not in (None, OUTSIDE):
            self.added.append((text, str(named)))

    def pair(self, key: str, value: Any) -> None:
        """Take in a key with its value: a candidate with its label, or something that holds more of them."""
        place = self.place(key)
        if place is None:
            self.add(value)
        elif isinstance(value, str):
            self.label(place, value)
        elif _is_object(value):
            fields = {key.casefold(): item for key, item in value}
            self.label(place, next((fields[key] for key in _LABEL_KEYS if key in fields), None))
        else:
            self.label(place, value[0] if isinstance(value, list) and len(value) == 1 else None)

    def label(self, place: int, value: Any) -> None:
        """Note what is said of the candidate at this place."""
        self.labels[place].add(parse_answer(value, self.label_set) if isinstance(value, str) else None)

    def place(self, key: Any) -> int | None:
        """The place of the candidate that a key names, by number or by a surface that only one has."""
        if isinstance(key, int) and not isinstance(key, bool):
            key = str(key)
        if not isinstance(key, str):
            return None
        number = _NUMBER.fullmatch(key)
        if number and 1 <= int(number[1]) <= len(self.surfaces):
            return int(number[1]) - 1
        return self._with_surface(key)

    def _with_surface(self, text: str | None) -> int | None:
        wanted = None if text is None else text.casefold()
        equal = [place for place, one in enumerate(self.surfaces) if one.casefold() == wanted]
        return equal[0] if len(equal) == 1 else None
