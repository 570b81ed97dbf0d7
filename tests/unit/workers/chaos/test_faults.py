"""A killed server stays away for long enough that somebody runs into it."""

from __future__ import annotations

import random

import pytest

from workers.chaos.faults import Target, inject


class Server:
    pid = 1

    def __init__(self) -> None:
        self.away_s: list[float] = []

    def restart(self) -> None:
        raise AssertionError("it is killed, not stopped in good order")

    def kill(self, *, away_s: float) -> None:
        self.away_s.append(away_s)


@pytest.mark.parametrize("kind", ["broker-killed", "postgres-killed"])
def test_a_killed_server_stays_away_for_a_while(kind: str) -> None:
    broker, postgres = Server(), Server()
    target = Target(
        processes=(),
        postgres=postgres,
        redis=broker,
        broker=broker,
        empty_broker=lambda: None,
        forbid_writes=lambda _: None,
        links={},
    )
    injection = inject(kind, target, random.Random(1))
    killed, other = (broker, postgres) if kind == "broker-killed" else (postgres, broker)
    (away_s,) = killed.away_s
    assert 0.5 <= away_s <= 3
    assert other.away_s == []
    assert f"{away_s:.1f} s" in injection.detail
