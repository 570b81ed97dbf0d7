"""Keys for the gateway: kept as digests, with what each may do and how much of it.

A key is 256 random bits, so a plain SHA-256 of it can be neither guessed nor reversed; a slow hash is for
passwords that people choose.

The quota is a debt: posts are paid for in time. `paid_until` moves on by a post's share of a minute for each
post taken, and while it lies in the future nothing is taken. It never lies more than a minute back, so a key
that rested may send a minute's worth at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import IntegrityError

from linkner.errors import InputError
from workers.ports import ApiKey, Scope
from workers.store.database import in_transaction

PREFIX = "lnk_"
"""What every key begins with, so that one that leaks can be recognised as such."""

_COLUMNS = "id, name, scopes, posts_per_minute, created_at, revoked_at"

_CREATE = text("""
    INSERT INTO api_keys (name, digest, scopes, posts_per_minute)
    VALUES (:name, :digest, CAST(:scopes AS text[]), :posts_per_minute)
""")
_LIST = text(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, id")
_REVOKE = text("UPDATE api_keys SET revoked_at = now() WHERE name = :name AND revoked_at IS NULL")
_FIND = text(f"SELECT {_COLUMNS} FROM api_keys WHERE digest = :digest AND revoked_at IS NULL")

# Losing the last moment's charges to a crash of the server is worth not waiting for the disk at each request.
_UNHURRIED = text("SET LOCAL synchronous_commit = off")
CHARGE = text("""
    UPDATE api_keys
    SET paid_until = greatest(paid_until, now() - interval '1 minute')
        + make_interval(secs => 60.0 * :posts / posts_per_minute)
    WHERE id = :id AND paid_until <= now()
""")
_WAIT_S = text("""
    SELECT extract(epoch FROM paid_until - now())::float8 FROM api_keys
    WHERE id = :id AND posts_per_minute IS NOT NULL
""")


class PostgresKeys:
    """The keys in PostgreSQL; thread-safe.

    Every method raises UnavailableError where the database cannot answer now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self, name: str, *, scopes: Collection[Scope], posts_per_minute: int | None, key: str | None = None
    ) -> str:
        """A new key (or the one given), which is nowhere to be read again.

        Raises:
            InputError: there is a key of that name.
        """
        made = key or PREFIX + secrets.token_urlsafe(32)
        values = {
            "name": name,
            "digest": _digest(made),
            "scopes": sorted(scopes),
            "posts_per_minute": posts_per_minute,
        }
        try:
            in_transaction(self._engine, Connection.execute, _CREATE, values)
        except IntegrityError:
            raise InputError(
                "there is a key of that name", got=name, hint="revoked keys keep their names"
            ) from None
        return made

    def listed(self) -> list[ApiKey]:
        """Every key, the oldest first."""
        return in_transaction(self._engine, _listed)

    def revoke(self, name: str) -> bool:
        """Whether there was such a key; gateways may still know it for some seconds."""
        return in_transaction(self._engine, _revoke, name)

    def find(self, key: str) -> ApiKey | None:
        """See `ports.Keys`."""
        return in_transaction(self._engine, _find, key)

    def charge(self, key_id: int, *, posts: int) -> float:
        """See `ports.Keys`."""
        return in_transaction(self._engine, _charge, key_id, posts)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _listed(connection: Connection) -> list[ApiKey]:
    return [_api_key(row) for row in connection.execute(_LIST)]


def _revoke(connection: Connection, name: str) -> bool:
    return connection.execute(_REVOKE, {"name": name}).rowcount == 1


def _find(connection: Connection, key: str) -> ApiKey | None:
    row = connection.execute(_FIND, {"digest": _digest(key)}).one_or_none()
    return None if row is None else _api_key(row)


def _charge(connection: Connection, key_id: int, posts: int) -> float:
    connection.execute(_UNHURRIED)
    if connection.execute(CHARGE, {"id": key_id, "posts": posts}).rowcount:
        return 0.0
    wait_s: float | None = connection.execute(_WAIT_S, {"id": key_id}).scalar_one_or_none()
    return max(wait_s or 0.0, 0.0)


def _api_key(row: Row[tuple[object, ...]]) -> ApiKey:
    created_at: datetime = row.created_at
    return ApiKey(
        key_id=row.id,
        name=row.name,
        scopes=frozenset(row.scopes),
        posts_per_minute=row.posts_per_minute,
        created_at=created_at,
        revoked_at=row.revoked_at,
    )
