"""The gateway's API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Scope = Literal["submit", "read", "admin"]
"""What an API key may do: send posts, read results, operate the system."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key of the gateway; `posts_per_minute` None means no quota."""

    key_id: int
    name: str
    scopes: frozenset[Scope]
    posts_per_minute: int | None
    created_at: datetime
    revoked_at: datetime | None


class Keys(Protocol):
    """The gateway's view of its API keys."""

    def find(self, key: str) -> ApiKey | None:
        """The key, unless it is not known or was revoked."""

    def charge(self, key_id: int, *, posts: int) -> float:
        """Take posts from the key's quota: 0.0 if they may come now, else seconds to wait (nothing taken)."""
