"""Recorded replies: which entities an LLM named in each post, and the answers to questions about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from linkner.classification import NON_ENTITY
from linkner.classification.packed import MORE
from linkner.errors import FileFormatError, InputError
from linkner.json_lines import read_numbered_lines
from linkner.replaying import packed_reply
from linkner.replies import label_at, read_post_replies
from linkner.spans import OUTSIDE, LabelledSpan, Span
from linkner.text import occurrences

_CONTEXT = "<Context>: "
_SURFACE = "Select the entity type of "
_NUMBERED = re.compile(r"<\d+>: ")
_WHICH = re.compile(r" \((\d+) of \d+\)")
_MORE = f"<{MORE}>: "
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class SpanQuestion:
    """What a per-span question asks: the type of `surface` in the post `text`."""

    text: str
    surface: str

    @classmethod
    def read(cls, message: str) -> SpanQuestion:
        """The question in a user message: two JSON strings after fixed words, the context and the surface.

        Raises:
            InputError: the message is no such question.
        """
        text, lines = _context(message)
        surface, _ = _json_string("\n".join(lines), after=_SURFACE)
        return cls(text=text, surface=surface)


@dataclass(frozen=True, slots=True)
class PackedQuestion:
    """What a packed question asks: each candidate's type, and the other names where it `proposes`."""

    text: str
    candidates: tuple[Span, ...]
    proposes: bool

    @classmethod
    def read(cls, message: str) -> PackedQuestion | None:
        """The question in a user message; None where it numbers no candidate.

        Raises:
            InputError: a candidate cannot be read, or is not in the text.
        """
        text, lines = _context(message)
        candidates = tuple(_candidate(text, line) for line in lines if _NUMBERED.match(line))
        return cls(text, candidates, any(line.startswith(_MORE) for line in lines)) if candidates else None


def _candidate(text: str, line: str) -> Span:
    surface, rest = _json_string(line, after=": ")
    which = _WHICH.fullmatch(rest)
    places = list(occurrences(text, surface))
    number = int(which[1]) if which else 1
    if not 0 < number <= len(places):
        raise InputError("a candidate is not in the post", expected="its surface, and which one it is")
    return places[number - 1]


def _context(message: str) -> tuple[str, Sequence[str]]:
    """The post that is asked about and the lines after it; examples before it are passed over."""
    lines = message.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith(_CONTEXT)]
    if not starts:
        raise InputError("not a question about a post", expected=f"a line that starts with {_CONTEXT!r}")
    text, _ = _json_string(lines[starts[-1]], after=_CONTEXT)
    return text, lines[starts[-1] + 1 :]


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

    def reply(self, message: str) -> str | None:
        """The reply to a user message of any form of question; None where none to its post was recorded.

        Raises:
            InputError: the message is no question.
        """
        packed = PackedQuestion.read(message)
        if packed is None:
            return self.answer(SpanQuestion.read(message))
        recorded = self.entities.get(packed.text)
        if recorded is None:
            return None
        labels = [label_at((span,), recorded) for span in packed.candidates]
        said = [NON_ENTITY if label == OUTSIDE else label for label in labels]
        others = [one for one in recorded if one.span not in packed.candidates]
        added = [(one.span.of(packed.text), one.label) for one in others]
        return packed_reply(said, added=added if packed.proposes else None)

    def answer(self, question: SpanQuestion) -> str | None:
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
    for number, line in read_numbered_lines(path):
        try:
            yield Post.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise FileFormatError(
                "not a post", path=str(path), line=number, expected=f"{first['loc']}: {first['msg']}"
            ) from None
