"""Recorded replies: which entities an LLM named in each post, and the answer to a question about one span."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from linkner.classification import NON_ENTITY
from linkner.errors import FileFormatError, InputError
from linkner.spans import LabelledSpan, Span

MIN_IOU = 0.5

_CONTEXT = "<Context>: "
_SURFACE = "Select the entity type of "
_DECODER = json.JSONDecoder()

Line = TypeVar("Line", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Question:
    """What a per-span question asks: the type of `surface` in the post `text`."""

    text: str
    surface: str

    @classmethod
    def read(cls, message: str) -> Question:
        """The question in a user message: two JSON strings after fixed words, the context and the surface.

        Raises:
            InputError: the message is no such question.
        """
        text, rest = _json_string(message, after=_CONTEXT)
        surface, _ = _json_string(rest, after=_SURFACE)
        return cls(text=text, surface=surface)

    def occurrences(self) -> Iterator[Span]:
        """Every place of the surface in the text, overlapping ones included, in code points."""
        start = self.text.find(self.surface)
        while start >= 0:
            yield Span(start, start + len(self.surface))
            start = self.text.find(self.surface, start + 1)


class Post(BaseModel):
    """One line of a posts file; other fields are ignored."""

    id: str = Field(validation_alias=AliasChoices("id", "external_id"))
    text: str


class NamedEntity(BaseModel):
    """One entity that the LLM named; offsets are half-open, in code points of the post."""

    start: int
    end: int
    text: str
    type: str


class PostReply(BaseModel):
    """One line of a replies file."""

    id: str
    entities: list[NamedEntity]


@dataclass(frozen=True, slots=True)
class RecordedReplies:
    """The recorded entities of each post, by the post's exact text (posts repeat)."""

    entities: Mapping[str, tuple[LabelledSpan, ...]]

    @classmethod
    def load(cls, *, posts: Path, replies: Path) -> RecordedReplies:
        """Read two JSON lines files of `Post` and `PostReply`, gzipped where the name ends in .gz.

        Raises:
            InputError: a file cannot be opened.
            FileFormatError: a line cannot be read, or a reply does not fit its post.
        """
        texts = {post.id: post.text for _, post in _lines(posts, Post)}
        entities = {}
        for number, reply in _lines(replies, PostReply):
            text = texts.get(reply.id)
            if text is None or any(text[one.start : one.end] != one.text for one in reply.entities):
                raise FileFormatError(
                    "the reply does not fit its post",
                    path=str(replies),
                    line=number,
                    expected=f"a post of that id in {posts}, and text[start:end] equal to each entity's text",
                    got=f"id {reply.id!r}",
                )
            entities[text] = tuple(LabelledSpan(Span(one.start, one.end), one.type) for one in reply.entities)
        return cls(entities)

    def answer(self, question: Question) -> str | None:
        """The recorded type of the span asked about, or None where no reply to its post was recorded.

        An entity equal to an occurrence of the surface decides; else the one that overlaps an occurrence
        most, with an intersection over union of at least MIN_IOU; else the answer is NON_ENTITY.
        """
        recorded = self.entities.get(question.text)
        if recorded is None:
            return None
        overlaps = [
            (entity.span.iou(occurrence), entity.label)
            for occurrence in question.occurrences()
            for entity in recorded
        ]
        iou, label = max(overlaps, key=lambda overlap: overlap[0], default=(0.0, NON_ENTITY))
        return label if iou >= MIN_IOU else NON_ENTITY


def _json_string(message: str, *, after: str) -> tuple[str, str]:
    """The JSON string that follows `after`, and what follows it."""
    _, _, rest = message.partition(after)
    try:
        value, end = _DECODER.raw_decode(rest)
    except (ValueError, RecursionError):
        value, end = None, 0
    if not isinstance(value, str) or not value:
        raise InputError("not a question about a span", expected=f"a JSON string after {after!r}")
    return value, rest[end:]


def _lines(path: Path, model: type[Line]) -> Iterator[tuple[int, Line]]:
    """Each line that is not blank, with its number from 1."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _line(line, model, path=path, number=number)
    except OSError as error:
        raise InputError(f"the file {path} cannot be read", got=str(error)) from error


def _line(line: bytes, model: type[Line], *, path: Path, number: int) -> Line:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise FileFormatError(
            f"not a {model.__name__}", path=str(path), line=number, expected=f"{first['loc']}: {first['msg']}"
        ) from None
