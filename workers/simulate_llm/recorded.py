"""Recorded replies: which entities an LLM named in each post, and the answer to a question about one span."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from linkner.classification import NON_ENTITY
from linkner.errors import FileFormatError, InputError
from linkner.replies import label_at, read_lines, read_post_replies
from linkner.spans import OUTSIDE, LabelledSpan
from linkner.text import occurrences

_CONTEXT = "<Context>: "
_SURFACE = "Select the entity type of "
_DECODER = json.JSONDecoder()


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


class Post(BaseModel):
    """One line of a posts file; other fields are ignored."""

    id: str = Field(validation_alias=AliasChoices("id", "external_id"))
    text: str


@dataclass(frozen=True, slots=True)
class RecordedReplies:
    """The recorded entities of each post, by the post's exact text (posts repeat)."""

    entities: Mapping[str, tuple[LabelledSpan, ...]]

    @classmethod
    def load(cls, *, posts: Path, replies: Path) -> RecordedReplies:
        """Read JSON lines of `Post` and the replies to them, gzipped where a name ends in .gz.

        Raises:
            InputError: a file cannot be opened.
            FileFormatError: a line cannot be read, or a reply does not fit its post.
        """
        texts = {post.id: post.text for post in _posts(posts)}
        recorded = read_post_replies(replies, texts)
        return cls({texts[key]: reply.entities for key, reply in recorded.items()})

    def answer(self, question: Question) -> str | None:
        """The recorded type of the span asked about, or None where no reply to its post was recorded.

        The surface may occur more than once; the rule is that of `linkner.replies`, over all its places.
        """
        recorded = self.entities.get(question.text)
        if recorded is None:
            return None
        label = label_at(tuple(occurrences(question.text, question.surface)), recorded)
        return NON_ENTITY if label == OUTSIDE else label


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


def _posts(path: Path) -> Iterator[Post]:
    for number, line in read_lines(path):
        try:
            yield Post.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise FileFormatError(
                "not a post", path=str(path), line=number, expected=f"{first['loc']}: {first['msg']}"
            ) from None
