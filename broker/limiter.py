"""The global limit on LLM calls: one Lua script in Redis, on the server's clock, shared by all callers.

The limit is paced by the generic cell rate algorithm (GCRA): the state is one number, the theoretical
arrival time of the next permit. `Pace` says why no window can hold more permits than the limit allows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import redis

from linkner.errors import ConfigurationError, UnavailableError

WINDOW_S = 60
JITTER_S = 1
KEPT_S = 60

_MICROS = 1_000_000

# The arrival time is a whole number of microseconds, written with %.0f since Lua's tostring would round it.
# A missing key (new, expired, lost) starts with the tolerance used up: losing the state gives no burst.
# The bound on the stored value ends the wait that a clock set back on the server would cause.
_RESERVE = """
local interval, tolerance, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = tonumber(redis.call('GET', KEYS[1]) or now + tolerance)
arrival = math.min(arrival, now + tolerance + interval)
local wait = math.max(0, arrival - tolerance - now)
if wait == 0 then
    arrival = math.max(arrival, now) + interval
    redis.call('SET', KEYS[1], string.format('%.0f', arrival),
               'PX', math.ceil((arrival - now + kept) / 1000))
end
return wait
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """GCRA's two numbers in microseconds: a permit every `interval`, early by at most `tolerance`.

    With b = 1 + tolerance / interval (the burst), a half-open window of length W holds at most
    ceil((W + tolerance) / interval) permits. `of_requests` chooses the interval so that this equals the
    limit for W = WINDOW_S + JITTER_S: calls reach the endpoint's own window up to JITTER_S later than
    their permits, each by a different time. The burst is 2 % of the limit, which gives back what is lost
    where callers come late by up to about a second. The pace is then 96 to 98 % of the limit.

    Where the state is lost, the next permit comes at once and the pace goes on without a burst: a window
    around the loss holds at most one permit more than the limit for each loss.
    """

    interval: int
    tolerance: int

    @classmethod
    def of_requests(cls, per_minute: int) -> Pace:
        """The pace of at most `per_minute` permits in any window. Raises ConfigurationError below 1."""
        if per_minute < 1:
            raise ConfigurationError(
                "the limit on LLM calls is too low",
                expected="at least 1 request per minute",
                got=str(per_minute),
            )
        early = per_minute // 50
        interval = math.ceil((WINDOW_S + JITTER_S) * _MICROS / (per_minute - early))
        return cls(interval=interval, tolerance=early * interval)


class RedisLimiter:
    """The limit in Redis under one key; every process with the same key and limit shares it."""

    def __init__(self, client: redis.Redis, *, key: str, per_minute: int) -> None:
        """`key` holds the state; it expires when unused.

        Raises:
            ConfigurationError: `per_minute` is below 1.
        """
        pace = Pace.of_requests(per_minute)
        self._script = client.register_script(_RESERVE)
        self._keys = [key]
        self._arguments = [pace.interval, pace.tolerance, KEPT_S * _MICROS]

    def reserve(self) -> float:
        """Take one request's permit: 0.0 if it may go now, else seconds to wait (nothing taken).

        Raises:
            UnavailableError: Redis does not answer or refuses; no call may be made then (fails closed).
        """
        try:
            wait = cast(int, self._script(keys=self._keys, args=self._arguments))
        except redis.RedisError as error:
            raise UnavailableError(
                "the limiter's state in Redis cannot be reached",
                got=type(error).__name__,
                hint="no LLM call is made until Redis answers; check that it runs and accepts writes",
            ) from error
        return wait / _MICROS
