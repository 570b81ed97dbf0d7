"""The limiter without Redis: the same pacing in plain Python on a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.limiter import KEPT_S, Pace

MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class State:
    """What the key holds: the theoretical arrival time, and when the key expires; microseconds."""

    arrival: int
    expires: int


def step(pace: Pace, state: State | None, now: int) -> tuple[int, State | None]:
    """One reservation at `now`: the wait in microseconds and the state after it."""
    if state is None or now >= state.expires:
        arrival = now + pace.tolerance
    else:
        arrival = min(state.arrival, now + pace.tolerance + pace.interval)
    wait = max(0, arrival - pace.tolerance - now)
    if wait:
        return wait, state
    arrival = max(arrival, now) + pace.interval
    return 0, State(arrival=arrival, expires=arrival + KEPT_S * MICROS)


@dataclass
class FakeClock:
    """Microseconds since 1970 that move only when told."""

    now: int = 1_700_000_000 * MICROS

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * MICROS)


@dataclass
class FakeLimiter:
    """ports.Limiter over `step`; limiters made with the same `keys` and `key` share their state."""

    clock: FakeClock
    per_minute: int
    key: str = "requests"
    keys: dict[str, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pace = Pace.of_requests(self.per_minute)

    def reserve(self) -> float:
        wait, state = step(self._pace, self.keys.get(self.key), self.clock.now)
        if state is not None:
            self.keys[self.key] = state
        return wait / MICROS
