"""An LLM caller that is told to stop finishes its calls, records their answers, and holds nothing more."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from broker.messages import decode_ids
from broker.queues import CLASSIFY, celery_app, declared_queues
from tests.benchmarks.llm.bench_stack import BenchStack, bench_stack
from tests.support.waiting import wait_until

CLAIMED = "SELECT count(*) FROM questions WHERE state = 'claimed'"
ANSWERED = "SELECT count(*) FROM questions WHERE state = 'answered'"
PUBLISHED = "SELECT id FROM questions WHERE state = 'pending' AND published_at IS NOT NULL"
PROMISED = "SELECT count(*) FROM cached_answers WHERE answered_at IS NULL"


def _published(stack: BenchStack) -> set[int]:
    """The questions that a message says are due."""
    with stack.engine.connect() as connection:
        return set(connection.execute(text(PUBLISHED)).scalars())


def _queued(stack: BenchStack) -> set[int]:
    """The questions of the messages that wait; they are taken out."""
    found: set[int] = set()
    with celery_app(stack.settings).connection_for_read() as connection:
        queue = declared_queues(stack.settings)[CLASSIFY](connection.default_channel)
        while (message := queue.get()) is not None:
            message.ack()
            (body, *_), *_ = message.decode()
            found.update(decode_ids(body))
    return found


@pytest.mark.timeout(200)
def test_calls_in_flight_are_finished_and_recorded_and_no_lease_is_left() -> None:
    slots, latency_s = 24, 3.0
    posts = [f"Anna sings song number {number}" for number in range(80)]
    unlimited = {"LINKNER_LLM_REQUESTS_PER_MINUTE": "1000000"}
    with bench_stack(
        posts, f"--latency-median-s={latency_s}", callers=1, slots=slots, environment=unlimited
    ) as stack:
        stack.fill(posts)
        assert wait_until(lambda: stack.number(CLAIMED) == slots, within_s=90, every_s=0.05)
        answered = stack.number(ANSWERED)
        began = time.monotonic()
        stack.roles.stop()
        took_s = time.monotonic() - began
        assert (stack.number(CLAIMED), stack.number(PROMISED)) == (0, 0)
        assert stack.number(ANSWERED) == len(stack.calls()) >= answered + slots, "each call was recorded"
        assert stack.number(ANSWERED) < len(posts), "and no new one was begun for what still waited"
        assert _published(stack) <= _queued(stack), "what waited for a slot is in the queue again"
        assert took_s < 40


@pytest.mark.timeout(200)
def test_calls_that_take_too_long_are_broken_off_and_waits_for_permits_end_too() -> None:
    posts = [f"Anna sings song number {number}" for number in range(40)]
    slow = {"LINKNER_LLM_IN_FLIGHT": "8", "LINKNER_LLM_STOP_AFTER_S": "2"}
    with bench_stack(posts, "--latency-median-s=25", callers=1, slots=24, environment=slow) as stack:
        stack.fill(posts)
        assert wait_until(lambda: stack.number(CLAIMED) == 24, within_s=90, every_s=0.05)
        time.sleep(1.0)
        began = time.monotonic()
        stack.roles.stop()
        took_s = time.monotonic() - began
        assert stack.number(CLAIMED) == 0
        assert stack.number(ANSWERED) == 0
        assert stack.number("SELECT max(attempts) FROM questions") == 0, "nothing was at fault"
        assert took_s < 12
