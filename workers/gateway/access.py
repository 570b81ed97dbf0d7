"""Who may do what: API keys with scopes and quotas.

Without keys the gateway is open to this machine alone, by the name or address that the request gives: a web
page that makes its own name point here (DNS rebinding) is refused.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from broker.loopback import is_loopback
from workers.gateway.problems import ErrorBody, Problem, Refusal
from workers.ports import ApiKey, Clock, Keys, Scope

KNOWN_FOR_S = 5.0
"""How long a key is taken as it was found: at most so long does a revoked one go on being accepted."""
_MAX_KNOWN = 1_000

_MACHINE = HTTPBearer(auto_error=False, description="A key made by `linkner keys create`")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_MACHINE)]

REFUSALS: Mapping[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "No key, or one that is not known or was revoked"},
    403: {"model": ErrorBody, "description": "The key's scopes do not allow it"},
}
"""The answers of every route that needs a scope."""


class Access:
    """Checks the key of each request; with `keys` None, that the request comes from this machine."""

    def __init__(self, keys: Keys | None, clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._lock = Lock()

    def needs(self, scope: Scope) -> Callable[[Request, Credentials], ApiKey | None]:
        """A dependency that gives the request's key, or refuses the request."""

        def check(request: Request, credentials: Credentials) -> ApiKey | None:
            if self._keys is None:
                _refuse_other_names(request)
                return None
            key = self._find(credentials.credentials) if credentials else None
            if key is None:
                raise Refusal(
                    401,
                    Problem("the request has no valid API key", expected="Authorization: Bearer lnk_…"),
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if scope not in key.scopes:
                raise Refusal(403, Problem("the API key does not allow this", expected=f"the scope {scope}"))
            return key

        return check

    def charge(self, key: ApiKey | None, *, posts: int) -> None:
        """Take posts from the key's quota, or refuse with 429."""
        if self._keys is None or key is None or key.posts_per_minute is None:
            return
        wait_s = self._keys.charge(key.key_id, posts=posts)
        if wait_s > 0:
            raise Refusal(
                429,
                Problem("the API key's quota is used up", expected=f"{key.posts_per_minute} posts a minute"),
                retry_after_s=math.ceil(wait_s),
            )

    def _find(self, given: str) -> ApiKey | None:
        assert self._keys is not None
        now = self._clock.monotonic()
        with self._lock:
            found_at, key = self._known.get(given, (-math.inf, None))
        if key is None or now - found_at > KNOWN_FOR_S:
            key = self._keys.find(given)
            if key is not None:
                self._remember(given, key, now)
        return key

    def _remember(self, given: str, key: ApiKey, now: float) -> None:
        with self._lock:
            self._known[given] = (now, key)
            self._known.move_to_end(given)
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)


def _refuse_other_names(request: Request) -> None:
    host = request.url.hostname or ""
    if not is_loopback(host):
        raise Refusal(
            403,
            Problem(
                "without API keys the gateway answers only to this machine's own names",
                expected="localhost, or an address such as 127.0.0.1",
                got=host[:100],
                hint="set LINKNER_GATEWAY_KEYS=required and create a key",
            ),
        )
