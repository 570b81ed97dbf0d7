"""Accepted posts and a relay over fakes."""

from collections.abc import Sequence

from linkner.errors import LinknerError, UnavailableError
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from workers.handlers.relay import QueueFeed, Relay
from workers.ports import NewDocument, Recognised, Stage


class FakeQueues:
    """Queues in memory that can be told to be away."""

    def __init__(self) -> None:
        self.messages: dict[str, list[list[int]]] = {"recognise": [], "classify": [], "aggregate": []}
        self.away = False

    def send(self, stage: Stage, ids: Sequence[int]) -> None:
        if self.away:
            raise UnavailableError("the broker is away")
        self.messages[stage].append(list(ids))

    def depth(self, stage: Stage) -> int:
        return len(self.messages[stage])


class Scene:
    """Accepted posts, and a relay that feeds two queues of few messages."""

    def __init__(self, *, documents: int, chunk: int = 1) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.llm_is_down = False
        self.noted: list[tuple[str, LinknerError]] = []
        self.queues = FakeQueues()
        self.store.accept([NewDocument("test", str(number), "text") for number in range(documents)])
        self.relay = Relay(
            outbox=self.store,
            queues=self.queues,
            feeds=[
                QueueFeed(stage="recognise", chunk=4, depth=2),
                QueueFeed(stage="classify", chunk=chunk, depth=20),
            ],
            clock=self.clock,
            republish_after_s=60.0,
            deadline_s=3600.0,
            document_deadline_s=86_400.0,
            poll_s=1.0,
            step_s=0.05,
            erasure=self.store,
            retention_s=7 * 86_400.0,
            llm_is_down=lambda: self.llm_is_down,
            note=lambda *trouble: self.noted.append(trouble),
        )

    def sent(self) -> list[list[int]]:
        return self.queues.messages["recognise"]

    def ask_about_all(self, documents: int) -> None:
        """A question for each of the first documents."""
        scored = ScoredSpan(Span(0, 4), "person", 0.6, 0.4, {OUTSIDE: 0.4, "person": 0.6})
        recognition = Recognition((scored,), ())
        self.store.record_recognised(
            [Recognised(number, "m", recognition, ((scored,),)) for number in range(1, documents + 1)]
        )
