"""Ingest: posts that came as a message, checked and committed as the gateway does it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linkner.errors import InputError
from workers.handlers.posts import PostLimits, parse_post
from workers.ports import NewDocument, Store

log = logging.getLogger("linkner.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPosts:
    """Handles one `ingest` message. A post that cannot be used is logged with its place and left out."""

    store: Store
    limits: PostLimits

    def __call__(self, posts: Sequence[Any]) -> int:
        """Commit the posts; how many were new. Raises InputError for more posts than one request may have."""
        if len(posts) > self.limits.max_items:
            raise InputError(
                "too many posts in a message",
                expected=f"at most {self.limits.max_items}",
                got=str(len(posts)),
                hint="send them in several messages",
            )
        checked = (self._checked(index, post) for index, post in enumerate(posts))
        documents = [document for document in checked if document is not None]
        return sum(not accepted.duplicate for accepted in self.store.accept(documents))

    def _checked(self, index: int, post: object) -> NewDocument | None:
        try:
            return parse_post(post, limits=self.limits)
        except InputError as error:
            log.warning("action=refused index=%d external_id=%s error=%s", index, _external_id(post), error)
            return None


def _external_id(post: object) -> str:
    """How its producer calls the post, for the log: one short word, whatever it is."""
    name = post.get("external_id", post.get("id")) if isinstance(post, dict) else None
    return ascii(name)[:100] if isinstance(name, str | int) else "none"
