"""The limiter without Redis: what the scripts do, in plain Python on a clock that the test moves.

Times are whole microseconds. `tests/contract/test_limiter.py` holds the scripts to the same decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

from broker.limits import (
    LATENESS_S,
    MICROS,
    SLICE_S,
    WINDOW_S,
    Demand,
    Limits,
    Pace,
    Permit,
    Reason,
    Refusal,
    Result,
)

WINDOW, LATENESS, SLICE = (round(seconds * MICROS) for seconds in (WINDOW_S, LATENESS_S, SLICE_S))
SAID_FOR, LONGEST_HOLD = 60 * MICROS, 600 * MICROS
MEMORY, FEWEST_FAILURES, FAILING_SHARE = 10 * MICROS, 5, 0.5
MOST_IN_A_ROW = 20
FIRST_OPEN, LONGEST_OPEN = MICROS, 60 * MICROS
PERIODS = {"hour": 3600 * MICROS, "day": 86_400 * MICROS}


def leaves(slice: int) -> int:
    """When no call of that slice of time is in the window any more."""
    return (slice + 1) * SLICE + WINDOW + LATENESS


@dataclass
class FakeClock:
    """Microseconds since 1970 that move only when told."""

    now: int = 1_700_000_000 * MICROS

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * MICROS)


@dataclass
class Bucket:
    """GCRA's state for requests or for tokens."""

    arrival: float
    pace: Pace

    def at(self, pace: Pace, now: int) -> float:
        """The arrival time reckoned at another pace."""
        if pace.interval == self.pace.interval:
            return self.arrival
        return now + (self.arrival - now) * pace.interval / self.pace.interval


@dataclass
class InFlight:
    """A permit that is not settled."""

    reserved: int
    start: int
    lapses: int


@dataclass
class Breaker:
    """Closed where it never opened since the last success."""

    trips: int = 0
    open_until: int = 0
    probe_until: int = 0
    calls: float = 0.0
    failures: float = 0.0
    failures_in_a_row: int = 0
    counted_at: int = 0

    def wait(self, now: int) -> int:
        """0 where a call may go."""
        if not self.trips:
            return 0
        if now < self.open_until:
            return self.open_until - now
        return min(max(0, self.probe_until - now), MICROS)

    def open(self, now: int, pause: int) -> None:
        rest = min(FIRST_OPEN * 2 ** min(self.trips, 20), LONGEST_OPEN)
        self.__init__(trips=self.trips + 1, open_until=now + max(rest, pause))

    def report(self, outcome: str, *, reserved: int, now: int, pause: int) -> None:
        """What the outcome of a call does."""
        is_probe = self.trips > 0 and reserved >= self.open_until
        if outcome == "unused":
            self.probe_until = 0 if is_probe else self.probe_until
        elif self.trips and not is_probe:
            if outcome == "later":
                self.open_until = max(self.open_until, now + pause)
        elif outcome == "later" or (is_probe and outcome == "failed"):
            self.open(now, pause)
        elif is_probe:
            self.__init__()
        else:
            kept = math.exp(min(0, ((self.counted_at or now) - now) / MEMORY))
            self.calls, self.counted_at = self.calls * kept + 1, now
            self.failures = self.failures * kept + (outcome == "failed")
            self.failures_in_a_row = (self.failures_in_a_row + 1) * (outcome == "failed")
            most_fail = self.failures >= FEWEST_FAILURES and self.failures >= FAILING_SHARE * self.calls
            if most_fail or self.failures_in_a_row >= MOST_IN_A_ROW:
                self.open(now, pause)


@dataclass
class Shared:
    """What Redis holds for one endpoint."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    line: float = 0.0
    slices: dict[int, int] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    spent: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    said_until: int = 0
    hold_until: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    overrides: dict[str, int | Decimal] = field(default_factory=dict)
    permits: int = 0

    def lose(self) -> None:
        """What a flush does."""
        self.__init__()


@dataclass
class FakeLimiter:
    """ports.Limiter; limiters made with the same `shared` share their limits."""

    clock: FakeClock
    limits: Limits
    lease_s: float = 60.0
    shared: Shared = field(default_factory=Shared)

    def reserve(self, demand: Demand, *, max_wait_s: float) -> Permit | Refusal:
        now, shared, max_wait = self.clock.now, self.shared, round(max_wait_s * MICROS)
        for reason, wait in self._closed(demand):
            if wait > 0:
                return Refusal(wait / MICROS, reason)
        paces, units = self._paces(), {"requests": 1, "tokens": demand.tokens}
        charges = {name: math.ceil(units[name] * pace.interval) for name, pace in paces.items()}
        arrivals, start, slowest = {}, now, ""
        for name, pace in paces.items():
            arrivals[name] = self._arrival(name, pace, charge=charges[name], max_wait=max_wait)
            earliest = arrivals[name] + charges[name] - pace.tolerance
            if earliest > start:
                start, slowest = earliest, name
        if (free := self._free(demand)) > start:
            start, slowest = free, "tokens"
        if start - now > max_wait == 0:
            return Refusal(math.ceil(start - now) / MICROS, slowest)
        if start - now > max_wait:
            turn = min(max(start, shared.line), max(start, now + WINDOW))
            shared.line = turn + max(charges.values())
            return Refusal(math.ceil(turn - now) / MICROS, slowest)
        for name, charge in charges.items():
            beyond = max(0, charge - paces[name].tolerance)
            shared.buckets[name] = Bucket(max(arrivals[name], start - beyond) + charge, paces[name])
        return Permit(self._take(demand, start), math.ceil(start - now) / MICROS, demand)

    def settle(self, permit: Permit, result: Result) -> None:
        now, shared, said = self.clock.now, self.shared, result.said
        pause = min(round((said.pause_s or 0) * MICROS), LONGEST_HOLD)
        if held := shared.in_flight.pop(permit.id, None):
            self._give_back(permit.demand, result, held)
        stated = {"requests": said.requests_per_minute, "tokens": said.tokens_per_minute}
        if any(stated.values()):
            shared.said |= {name: value for name, value in stated.items() if value}
            shared.said_until = now + SAID_FOR
        reserved = int(permit.id.split(":")[0])
        shared.breaker.report(result.outcome, reserved=reserved, now=now, pause=pause)
        if result.outcome == "answered" and pause:
            shared.hold_until = max(shared.hold_until, now + pause)

    def spend(self, money: Decimal) -> None:
        for period, length in PERIODS.items():
            self.shared.spent[period] = (self.clock.now // length, self._spent(period) + money)

    def _closed(self, demand: Demand) -> list[tuple[Reason, int]]:
        """How long each thing but the paces keeps a call from going, in the order in which they are asked."""
        now, shared = self.clock.now, self.shared
        found: list[tuple[Reason, int]] = [
            ("breaker", shared.breaker.wait(now)),
            ("hold", shared.hold_until - now),
        ]
        shared.in_flight = {id: held for id, held in shared.in_flight.items() if held.lapses > now}
        for period, length in PERIODS.items():
            budget, spent = self._limit(f"money_per_{period}"), self._spent(period)
            over = budget and spent + demand.money > budget
            found.append(("money_reserved", MICROS if over and shared.in_flight else 0))
            found.append((f"money_per_{period}", (now // length + 1) * length - now if over else 0))
        most = self._limit("in_flight")
        found.append(("in_flight", MICROS // 4 if most and len(shared.in_flight) >= most else 0))
        return found

    def _arrival(self, name: str, pace: Pace, *, charge: int, max_wait: int) -> float:
        now, bucket = self.clock.now, self.shared.buckets.get(name)
        if bucket is None or bucket.pace.interval != pace.interval:
            self.shared.line = 0.0
        arrival = bucket.at(pace, now) if bucket else now + pace.tolerance - charge
        return min(arrival, now + pace.tolerance + WINDOW + max_wait)

    def _free(self, demand: Demand) -> int:
        """The first moment at which the tokens that count in the window leave room for the demand's."""
        now, limit = self.clock.now, self._paced().get("tokens", 0)
        self.shared.slices = {n: tokens for n, tokens in self.shared.slices.items() if leaves(n) > now}
        in_window, free = sum(self.shared.slices.values()), now
        for number, tokens in sorted(self.shared.slices.items()):
            if not limit or not in_window or in_window + demand.tokens <= limit:
                break
            in_window, free = in_window - tokens, leaves(number)
        return free

    def _take(self, demand: Demand, start: float) -> str:
        now, shared = self.clock.now, self.shared
        if "tokens" in self._paced():
            slice = math.floor(start / SLICE)
            shared.slices[slice] = shared.slices.get(slice, 0) + demand.tokens
        for period, length in PERIODS.items():
            shared.spent[period] = (now // length, self._spent(period) + demand.money)
        if shared.breaker.trips:
            shared.breaker.probe_until = now + round(self.lease_s * MICROS)
        shared.permits += 1
        id = f"{now}:{start:.0f}:{shared.permits}"
        shared.in_flight[id] = InFlight(now, math.floor(start), now + round(self.lease_s * MICROS))
        return id

    def _give_back(self, demand: Demand, result: Result, held: InFlight) -> None:
        now, shared, paces = self.clock.now, self.shared, self._paces()
        units = 0 if result.tokens is None else result.tokens - demand.tokens
        if units and "tokens" in paces and "tokens" in shared.buckets:
            arrival = shared.buckets["tokens"].at(paces["tokens"], now) + units * paces["tokens"].interval
            shared.buckets["tokens"] = Bucket(math.ceil(arrival), paces["tokens"])
        if held.start // SLICE in shared.slices:
            shared.slices[held.start // SLICE] += units
        for period, length in PERIODS.items():
            if now // length == held.reserved // length and result.money is not None:
                left = max(Decimal(0), self._spent(period) + result.money - demand.money)
                shared.spent[period] = (now // length, left)

    def _limit(self, name: str) -> int | Decimal:
        return self.shared.overrides.get(name, getattr(self.limits, name))

    def _paces(self) -> dict[str, Pace]:
        return {name: Pace.of(limit) for name, limit in self._paced().items()}

    def _paced(self) -> dict[str, int]:
        """The limits that hold now, where there are any."""
        fresh, found = self.clock.now < self.shared.said_until, {}
        for name in ("requests", "tokens"):
            limit, said = int(self._limit(f"{name}_per_minute")), self.shared.said.get(name, 0)
            found[name] = said if fresh and said and (not limit or said < limit) else limit
        return {name: limit for name, limit in found.items() if limit}

    def _spent(self, period: str) -> Decimal:
        number, spent = self.shared.spent.get(period, (0, Decimal(0)))
        return spent if number == self.clock.now // PERIODS[period] else Decimal(0)
