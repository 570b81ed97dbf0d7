"""The LLM's replies for a run: those that were recorded, and simulated ones for the other posts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CAPITALISED = re.compile(r"(?<!\S)[A-Z][a-z]+(?!\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Files for the replaying server, and for how many of the posts replies were recorded or simulated."""

    posts: Path
    replies: Path
    recorded: int
    simulated: int


def write_replies(lines: Sequence[bytes], recorded: Iterable[bytes], *, label: str, folder: Path) -> Replies:
    """Write a reply to each of the posts (as lines) into `folder`.

    A simulated reply names every capitalised word as `label`: it says nothing true, but gives questions of
    either kind of answer, a label and Non-entity.
    """
    posts = {
        str(post.get("id", post.get("external_id"))): str(post["text"]) for post in map(json.loads, lines)
    }
    replies = {str(reply["id"]): reply for reply in map(json.loads, recorded) if reply["id"] in posts}
    known = {posts[id_] for id_ in replies}  # the server goes by a post's text, and posts repeat
    simulated = {text: id_ for id_, text in posts.items() if text not in known}
    written = [*replies.values(), *(_simulated(id_, text, label) for text, id_ in simulated.items())]
    posts_file, replies_file = folder / "posts.jsonl", folder / "replies.jsonl"
    posts_file.write_text(
        "".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in posts.items())
    )
    replies_file.write_text("".join(json.dumps(reply) + "\n" for reply in written))
    has_recorded = sum(text in known for text in posts.values())
    return Replies(
        posts=posts_file, replies=replies_file, recorded=has_recorded, simulated=len(posts) - has_recorded
    )


def _simulated(id_: str, text: str, label: str) -> dict[str, Any]:
    entities = [
        {"start": found.start(), "end": found.end(), "text": found[0], "type": label}
        for found in _CAPITALISED.finditer(text)
    ]
    return {"id": id_, "entities": entities}
