"""Accepted posts and a handler of recognition over fakes."""

from collections.abc import Callable

from linkner.classification import Form
from linkner.detectors import Detectors
from linkner.labels import label_set
from tests.fakes.clock import FakeClock
from tests.fakes.recogniser import FakeRecogniser
from tests.fakes.store import FakeStore
from workers.handlers.policies import Policies
from workers.handlers.recognise import RecogniseDocuments
from workers.ports import NewDocument

POLICIES = Policies()


class Scene:
    """Accepted posts, three unless others are given, and a handler over fakes."""

    def __init__(
        self,
        *texts: str,
        skip_reason: str | None = None,
        policies: Policies = POLICIES,
        store: Callable[[FakeClock], FakeStore] = FakeStore,
    ) -> None:
        self.clock = FakeClock()
        self.store = store(self.clock)
        self.recogniser = FakeRecogniser()
        given = texts or ("Ada Lovelace met Zork", "nothing here", "Oslo")
        posts = [NewDocument("test", str(number), text) for number, text in enumerate(given)]
        self.ids = [accepted.document_id for accepted in self.store.accept(posts)]
        self.handle = RecogniseDocuments(
            store=self.store,
            recogniser=self.recogniser,
            detectors=Detectors(threshold=0.2, epsilon=0.05),
            form=Form(),
            label_set=label_set("wnut17"),
            clock=self.clock,
            max_attempts=5,
            policies=policies,
            skip_reason=skip_reason,
        )

    def relay(self) -> list[int]:
        """What the relay publishes now."""
        published: list[int] = []
        self.store.publish_due("recognise", limit=100, send=published.extend)
        return published

    def attempts(self) -> list[int]:
        return [stored.attempts for stored in self.store.texts(self.ids)]
