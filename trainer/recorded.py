"""Training data from an LLM's replies about raw posts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linkner.conll import Sentence
from linkner.errors import FileFormatError, InputError
from linkner.json_lines import read_numbered_lines
from linkner.replies import RecordedReply, read_post_replies
from linkner.spans import LabelledSpan
from linkner.text import to_words, words


@dataclass(frozen=True, slots=True)
class Labelled:
    """Posts labelled by an LLM, one a sentence; `entities` counts those that it named.

    `unaligned` of them do not begin and end at word boundaries (`Drake` in `@DrakeReact`). No span of words
    is such an entity, so they are left out and what they stand in is OUTSIDE.
    """

    sentences: tuple[Sentence, ...]
    entities: int
    unaligned: int


def read_labelled_posts(posts: str | Path, replies: str | Path) -> Labelled:
    """The posts that have a reply, cut into words as the stream's posts are.

    Args:
        posts: JSON lines with `id` and `text`; gzipped where the name ends in .gz.
        replies: recorded replies about them by `id` (see `linkner.replies`).

    Raises:
        InputError: a file cannot be opened, or holds no reply.
        FileFormatError: a line cannot be read, or a reply does not fit its post.
    """
    texts = read_posts(posts)
    found = read_post_replies(replies, texts)
    if not found:
        raise InputError(f"{replies} holds no reply", expected="one about a post on each line")
    return labelled(texts, found)


def read_posts(path: str | Path) -> dict[str, str]:
    """The texts of posts by id, from JSON lines. Raises as `read_labelled_posts` does."""
    texts: dict[str, str] = {}
    for number, line in read_numbered_lines(Path(path)):
        try:
            value = json.loads(line)
            identity, text = value["id"], value["text"]
            fits = isinstance(identity, str) and isinstance(text, str)
        except (ValueError, TypeError, LookupError, RecursionError):
            fits = False
        if not fits or identity in texts:
            raise FileFormatError(
                "this id has a post already" if fits else "not a post",
                path=str(path),
                line=number,
                expected='{"id": "…", "text": "…"}',
                got=repr(line)[:80],
            )
        texts[identity] = text
    return texts


def labelled(texts: Mapping[str, str], replies: Mapping[str, RecordedReply]) -> Labelled:
    """The posts with a reply, in the order of the replies, which name posts by id in code points."""
    sentences: list[Sentence] = []
    entities = unaligned = 0
    for identity, reply in replies.items():
        text = texts[identity]
        offsets = words(text)
        places = {entity: to_words(offsets, entity.span) for entity in reply.entities}
        entities += len(places)
        unaligned += sum(place is None for place in places.values())
        if offsets:
            sentences.append(
                Sentence(
                    words=tuple(word.of(text) for word in offsets),
                    entities=tuple(
                        sorted(LabelledSpan(place, entity.label) for entity, place in places.items() if place)
                    ),
                )
            )
    return Labelled(tuple(sentences), entities=entities, unaligned=unaligned)
