"""ports.Keys over a dictionary."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from workers.ports import ApiKey, Clock, Scope


class FakeKeys:
    """Keys that are their own names, with the quota of `workers.store.keys` on a given clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._paid_until: dict[int, float] = {}

    def create(self, name: str, *, scopes: Collection[Scope], posts_per_minute: int | None) -> str:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        self._keys[name] = ApiKey(len(self._keys), name, frozenset(scopes), posts_per_minute, now, None)
        return name

    def revoke(self, name: str) -> bool:
        return self._keys.pop(name, None) is not None

    def find(self, key: str) -> ApiKey | None:
        return self._keys.get(key)

    def charge(self, key_id: int, *, posts: int) -> float:
        key = next(found for found in self._keys.values() if found.key_id == key_id)
        now = self._clock.monotonic()
        paid_until = self._paid_until.get(key_id, now)
        if key.posts_per_minute is None or paid_until > now:
            return max(paid_until - now, 0.0)
        self._paid_until[key_id] = max(paid_until, now - 60) + 60 * posts / key.posts_per_minute
        return 0.0
