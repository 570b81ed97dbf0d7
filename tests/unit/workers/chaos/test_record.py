"""The set check: what is lost, doubled or wrong is seen as such."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.clock import FakeClock
from workers.chaos.record import Injected, RunRecord

TEXT = "Anna in Oslo"


class Run:
    """A record of two accepted posts, and a clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.record = RunRecord(clock=self.clock.monotonic)
        self.sent(accepted(1), accepted(2))

    def sent(self, *answers: dict[str, Any]) -> None:
        """Posts that are sent and answered now."""
        self.record.submitted(answers, [TEXT] * len(answers), sent_at=self.clock.monotonic())

    def fault(self, kind: str) -> None:
        self.record.faults.append(Injected(kind, "", at=self.clock.monotonic()))

    def summary(self, missing: int = 0) -> dict[str, Any]:
        return self.record.summary(missing_from_feed=missing)


def accepted(id_: int, status: str = "accepted") -> dict[str, Any]:
    return {"status": status, "id": id_}


def entity(start: int, end: int, **changes: Any) -> dict[str, Any]:
    text = TEXT[start:end]
    return {"start": start, "end": end, "text": text, "decided_by": "llm", "reason": None} | changes


def item(id_: int, *entities: dict[str, Any], cursor: int | None = None, **changes: Any) -> dict[str, Any]:
    document = {"id": id_, "revision": 1, "text": TEXT, "status": "final", "entities": list(entities)}
    return {"cursor": cursor or id_, "document": document | changes}


def bad(summary: dict[str, Any]) -> dict[str, int]:
    return {name: summary[name] for name in ("lost", "doubled", "wrong") if summary[name]}


def test_a_run_in_which_everything_came_out_once() -> None:
    run = Run()
    run.record.read([item(1, entity(0, 4), entity(8, 12)), item(2)])
    summary = run.summary()
    assert (summary["accepted"], summary["final"], bad(summary)) == (2, 2, {})
    assert run.record.waiting == 0


def test_what_is_not_final_is_lost() -> None:
    run = Run()
    run.record.read([item(1)])
    assert bad(run.summary()) == {"lost": 1}
    assert run.record.waiting == 1


def test_a_repeated_submission_counts_once_and_a_refused_one_not_at_all() -> None:
    run = Run()
    run.sent(accepted(1, "duplicate"), {"status": "rejected", "id": None})
    assert (run.summary()["accepted"], run.summary()["refused"]) == (2, 1)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([item(1), item(2), item(2, cursor=3)], {"doubled": 1}),
        ([item(1), item(2, entity(0, 4), entity(0, 4))], {"doubled": 1, "wrong": 1}),
        ([item(1), item(2, entity(0, 6), entity(4, 8))], {"wrong": 1}),
        ([item(1), item(2, entity(0, 4, text="Oslo"))], {"wrong": 1}),
        ([item(1), item(2, entity(0, 4, decided_by="fallback"))], {"wrong": 1}),
        ([item(1), item(2, text="Berta")], {"wrong": 1}),
        ([item(1), item(2, status="provisional")], {"wrong": 1}),
        ([item(1, cursor=2), item(2, cursor=1)], {"wrong": 1}),
    ],
)
def test_what_is_doubled_or_wrong_is_seen(items: list[dict[str, Any]], expected: dict[str, int]) -> None:
    run = Run()
    run.record.read(items)
    assert bad(run.summary()) == expected


def test_what_following_the_feed_missed_is_lost() -> None:
    run = Run()
    run.record.read([item(1), item(2)])
    assert bad(run.summary(missing=1)) == {"lost": 1}


def test_recovery_is_the_longest_wait_since_the_fault_of_what_was_sent_before() -> None:
    run = Run()
    run.clock.sleep(1)
    run.fault("kill")
    run.clock.sleep(7)
    run.record.read([item(1)])
    run.clock.sleep(2)
    run.record.read([item(2)])
    run.fault("kill")
    run.fault("cut")
    summary = run.summary()
    assert summary["by_fault"] == {
        "cut": {"faults": 1, "median_recovery_s": 0.0, "worst_recovery_s": 0.0},
        "kill": {"faults": 2, "median_recovery_s": 4.5, "worst_recovery_s": 9.0},
    }
    assert (summary["faults"], summary["median_recovery_s"], summary["worst_recovery_s"]) == (3, 0.0, 9.0)


def test_what_was_sent_after_a_fault_is_part_of_its_recovery_until_the_next_one() -> None:
    run = Run()
    run.record.read([item(1), item(2)])
    run.fault("kill")
    run.clock.sleep(3)
    run.sent(accepted(3))
    run.clock.sleep(2)
    run.fault("cut")
    run.clock.sleep(1)
    run.sent(accepted(4))
    run.clock.sleep(30)
    run.record.read([item(3)])
    run.clock.sleep(10)
    run.record.read([item(4)])
    assert run.record.recoveries_s() == [("kill", 33.0), ("cut", 40.0)]


def test_a_post_waits_from_when_it_was_first_sent() -> None:
    run = Run()
    run.clock.sleep(4)
    run.sent(accepted(2, "duplicate"))
    run.record.read([item(1)])
    run.clock.sleep(2)
    run.record.read([item(2)])
    assert run.record.waits_s() == [4.0, 6.0]


def test_the_waits_of_a_run() -> None:
    run = Run()
    run.record.read([item(1), item(2)])
    run.sent(*[accepted(id_) for id_ in range(3, 201)])
    run.clock.sleep(1)
    run.record.read([item(id_) for id_ in range(3, 199)])
    run.clock.sleep(8)
    run.record.read([item(199), item(200)])
    summary = run.summary()
    assert [summary[f"{of}_wait_s"] for of in ("median", "p99", "worst")] == [1.0, 1.0, 9.0]
    assert RunRecord(clock=run.clock.monotonic).summary(missing_from_feed=0)["worst_wait_s"] == 0.0
