"""Recorded replies of an LLM, to be replayed in its place.

A replies file has one JSON object a line, for one document each:

- `sentence` (its index in a CoNLL file, from 0; offsets count words) or `id` (of a post; offsets count code
  points) says which document;
- `entities`: the entities that the LLM named in it, each with `start`, `end` (half-open), `text` and `type`;
- `answers`, where there are any: the answers to a multiple-choice question about single spans, in the same
  form, with the type `none` for Non-entity.

`text` is the span's surface, words joined by one space. It is compared with the document, so that replies to
another file, or to another version of it, are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from linkner.errors import FileFormatError, InputError
from linkner.json_lines import read_numbered_lines
from linkner.spans import OUTSIDE, LabelledSpan, Span

MIN_IOU = 0.5
"""Least intersection over union at which an entity that the LLM named answers a question about a span."""

_NONE = "none"
_EXPECTED = '"entities" (and "answers", if any): lists of {"start": 0, "end": 2, "text": "…", "type": "…"}'

_Key = TypeVar("_Key", int, str)


@dataclass(frozen=True, slots=True)
class RecordedReply:
    """What the LLM said of one document: the entities that it named, and its answers about single spans.

    `entities` are what it proposes for the document; `answers` has `OUTSIDE` for Non-entity.
    """

    entities: tuple[LabelledSpan, ...]
    answers: Mapping[Span, str]

    def label_of(self, span: Span) -> str:
        """What the LLM calls this span: its answer about it, else what `label_at` reads of its entities."""
        answer = self.answers.get(span)
        return label_at((span,), self.entities) if answer is None else answer

    @property
    def labels(self) -> frozenset[str]:
        """Every label that occurs, without `OUTSIDE`."""
        return frozenset((*(one.label for one in self.entities), *self.answers.values())) - {OUTSIDE}


def label_at(places: Collection[Span], entities: Iterable[LabelledSpan]) -> str:
    """The label of the entity that is equal to one of the places, else of the one that overlaps one of them
    most, with an intersection over union of at least MIN_IOU; else `OUTSIDE`.
    """
    overlaps = ((entity.span.iou(place), entity.label) for place in places for entity in entities)
    iou, label = max(overlaps, key=lambda overlap: overlap[0], default=(0.0, OUTSIDE))
    return label if iou >= MIN_IOU else OUTSIDE


def read_sentence_replies(path: str | Path, sentences: Sequence[Sequence[str]]) -> tuple[RecordedReply, ...]:
    """The reply about each of the sentences, given as their words; offsets are words. Gzipped where the name
    ends in .gz.

    Raises:
        InputError: the file cannot be opened, or a sentence has no reply.
        FileFormatError: a line cannot be read, or the reply does not fit its sentence.
    """

    def surface(key: int, span: Span) -> str | None:
        return " ".join(sentences[key][span.start : span.end]) if span.end <= len(sentences[key]) else None

    replies = _read(path, key="sentence", documents=range(len(sentences)), surface=surface)
    for index in range(len(sentences)):
        if index not in replies:
            raise InputError(
                f"{path} has no reply about sentence {index}",
                expected=f"one for each of {len(sentences)} sentences",
                got=f"{len(replies)} replies",
                hint="replies must have been recorded on the same file",
            )
    return tuple(replies[index] for index in range(len(sentences)))


def read_post_replies(path: str | Path, texts: Mapping[str, str]) -> dict[str, RecordedReply]:
    """The replies about posts, given as their texts by id; offsets are code points. A post may have none.

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: a line cannot be read, or the reply does not fit its post.
    """

    def surface(key: str, span: Span) -> str | None:
        return span.of(texts[key]) if span.end <= len(texts[key]) else None

    return _read(path, key="id", documents=texts.keys(), surface=surface)


def _read(
    path: str | Path,
    *,
    key: str,
    documents: Collection[_Key],
    surface: Callable[[_Key, Span], str | None],
) -> dict[_Key, RecordedReply]:
    """The replies by the document that `key` names; `surface` is None for a span that ends after it."""
    replies: dict[_Key, RecordedReply] = {}
    for number, line in read_numbered_lines(Path(path)):
        try:
            value = json.loads(line)
            document = value[key]
            if type(document) not in (int, str) or document not in documents:
                raise InputError(f"there is no such {key} in it", got=repr(document)[:80])
            if document in replies:
                raise InputError(f"this {key} has a reply already", got=repr(document)[:80])
            replies[document] = _reply(value, document, surface)
        except InputError as error:
            raise FileFormatError(
                f"the reply does not fit the data: {error.problem}",
                path=str(path),
                line=number,
                expected=error.expected,
                got=error.got,
                hint="replies must have been recorded on the same file",
            ) from None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise FileFormatError(
                "not a recorded reply",
                path=str(path),
                line=number,
                expected=f'a JSON object with "{key}" and {_EXPECTED}',
                got=f"{type(error).__name__}: {error}"[:120],
            ) from None
    return replies


def _reply(
    value: Mapping[str, Any], document: _Key, surface: Callable[[_Key, Span], str | None]
) -> RecordedReply:
    def labelled(item: Mapping[str, Any]) -> LabelledSpan:
        start, end, text, label = item["start"], item["end"], item["text"], item["type"]
        if not (type(start) is type(end) is int and isinstance(text, str) and isinstance(label, str)):
            raise TypeError("offsets are whole numbers, text and type are strings")
        span = Span(start, end)
        found = surface(document, span)
        if found is None:
            raise InputError(f"[{start}, {end}) is beyond the text", got=repr(text)[:80])
        if found != text:
            raise InputError(
                f"[{start}, {end}) has another text", expected=repr(found)[:80], got=repr(text)[:80]
            )
        return LabelledSpan(span, OUTSIDE if label == _NONE else label)

    answers = [labelled(item) for item in value.get("answers", ())]
    return RecordedReply(
        entities=tuple(one for one in map(labelled, value["entities"]) if one.label != OUTSIDE),
        answers={answer.span: answer.label for answer in answers},
    )
