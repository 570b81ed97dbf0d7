"""A question about "Zork" over fakes, and what asks it."""

from decimal import Decimal

from linkner.classification import Form
from linkner.errors import LinknerError
from linkner.labels import label_set
from linkner.pricing import Price
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.clock import FakeClock
from tests.fakes.llm import FakeLlm, FreeLlms
from tests.fakes.slots import FakeSlots, handle_one
from tests.fakes.store import FakeStore
from tests.support.one_question import alone
from workers.handlers.answering import Answering
from workers.handlers.budget import Budget, Tariff
from workers.handlers.classify import ClassifyQuestions
from workers.ports import NewDocument, Recognised

SPAN = Span(0, 4)
TEXT = "Zork is back"
PRICE = Price(prompt=Decimal(1), completion=Decimal(2), cached_prompt=Decimal(0))


class Scene:
    """One document with one question about "Zork", locally a product with probability 0.6."""

    def __init__(
        self,
        *,
        reply: str = "group",
        cache_max_age_s: float = 3600.0,
        budget: Decimal | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.llm = FakeLlm(answer=lambda prompt: reply)
        self.noted: list[tuple[str, LinknerError]] = []
        self.document_id, self.question_id = self._ask()
        self.classify = ClassifyQuestions(
            answering=Answering(
                store=self.store,
                record=alone(self.store),
                form=Form(),
                label_set=label_set("wnut17"),
                model="fake-llm",
                max_attempts=5,
                cache_max_age_s=cache_max_age_s,
            ),
            llms=FreeLlms(self.llm, Tariff(endpoint="http://here/v1", model="fake-llm", price=PRICE)),
            slots=FakeSlots(),
            lease_s=40.0,
            budget=Budget(ledger=self.store, clock=self.clock, per_day=budget),
            note=lambda *trouble: self.noted.append(trouble),
        )

    def _ask(self, text: str = TEXT) -> tuple[int, int]:
        number = sum(self.store.counts().documents.values())
        (accepted,) = self.store.accept([NewDocument("test", str(number), text)])
        scored = ScoredSpan(SPAN, "product", 0.6, 0.4, {OUTSIDE: 0.4, "product": 0.6})
        self.store.record_recognised(
            [Recognised(accepted.document_id, "m", Recognition((scored,), ()), ((scored,),))]
        )
        (question_id,) = self.published()
        return accepted.document_id, question_id

    def ask_again(self, text: str = TEXT) -> int:
        """The question of another document; by default it repeats the first one."""
        return self._ask(text=text)[1]

    def published(self) -> list[int]:
        ids: list[int] = []
        self.store.publish_due("classify", limit=10, send=ids.extend)
        return ids

    def handle(self, question_id: int) -> object:
        return handle_one(self.classify, question_id)

    def run(self) -> object:
        return self.handle(self.question_id)

    def run_until_ended(self) -> list[object]:
        """Let the relay publish it again, however late, until it has ended."""
        outcomes = [self.run()]
        while outcomes[-1] == "released" and len(outcomes) < 50:
            self.clock.sleep(3600)
            assert self.published() == [self.question_id]
            outcomes.append(self.run())
        return outcomes

    @property
    def reasons(self) -> dict[str, int]:
        return dict(self.store.counts().dead_reasons)
