"""What the tests of the batch lane share: documents in it, over fakes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from linkner.classification import Form
from linkner.errors import LinknerError, UnavailableError
from linkner.labels import label_set
from linkner.pricing import Price
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.batches import FakeBatches, FakeBatchLlm
from tests.fakes.clock import FakeClock
from tests.fakes.llm import FakeLlm
from tests.fakes.store import FakeStore
from tests.support.one_question import alone
from workers.handlers.aggregate import AggregateDocuments
from workers.handlers.answering import Answering
from workers.handlers.batch import BatchQuestions
from workers.handlers.budget import Budget, Tariff
from workers.ports import NewDocument, QuestionLane, Recognised

PRICE = Price(prompt=Decimal(1), completion=Decimal(1), cached_prompt=Decimal(1))
SWEEP = {"republish_after_s": 1e6, "deadline_s": 1e6, "document_deadline_s": 1e6}


class Scene:
    """Documents of one question each about their first word, which the local model takes for a product."""

    def __init__(
        self,
        *texts: str,
        reply: str = "group",
        cache_max_age_s: float = 3600.0,
        per_day: Decimal | None = None,
        revise_late: bool = False,
        deadline_s: float | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.batches = FakeBatches(self.store)
        self.llm = FakeBatchLlm(FakeLlm(answer=lambda prompt: reply))
        self.deadline_s = deadline_s
        self.is_shut = self.redis_is_away = False
        self.spent: list[Decimal] = []
        self.noted: list[tuple[str, LinknerError]] = []
        self.documents = [self.ask(text) for text in texts]
        self.batching = BatchQuestions(
            answering=Answering(
                store=self.store,
                record=alone(self.store),
                form=Form(),
                label_set=label_set("wnut17"),
                model="m",
                max_attempts=3,
                cache_max_age_s=cache_max_age_s,
            ),
            batches=self.batches,
            llm=self.llm,
            tariff=Tariff(endpoint="http://here/v1", model="m", price=PRICE),
            budget=Budget(ledger=self.store, clock=self.clock, per_day=per_day, refresh_s=0.0),
            at_least=1,
            at_most=100,
            after_s=0.0,
            revise_late=revise_late,
            is_shut=lambda: self.is_shut,
            spend=self.spend,
            note=lambda *trouble: self.noted.append(trouble),
        )

    def spend(self, money: Decimal) -> None:
        if self.redis_is_away:
            raise UnavailableError("redis is away")
        self.spent.append(money)

    def ask(self, text: str, *, lane: QuestionLane = "batch") -> int:
        number = sum(self.store.counts().documents.values())
        (accepted,) = self.store.accept([NewDocument("test", f"{text}{number}", text)])
        span = Span(0, len(text.split()[0]))
        scored = ScoredSpan(span, "product", 0.6, 0.4, {OUTSIDE: 0.4, "product": 0.6})
        result = Recognised(
            accepted.document_id,
            "local",
            Recognition((scored,), ()),
            ((scored,),),
            deadline_s=self.deadline_s,
            lane=lane,
        )
        self.store.record_recognised([result])
        return accepted.document_id

    def step(self) -> Mapping[str, int]:
        return self.batching.step()

    def step_until_done(self) -> None:
        for _ in range(20):
            self.step()
            self.clock.sleep(60.0)
            if not self.batches.open() and not self.open_questions:
                return
        raise AssertionError("it goes on for ever")

    @property
    def open_questions(self) -> int:
        return sum(question.is_open for question in self.store.questions)

    @property
    def reasons(self) -> dict[str, int]:
        return dict(self.store.counts().dead_reasons)

    @property
    def sent(self) -> list[int]:
        """How many requests each batch had."""
        return [len(prompts) for prompts in self.llm.batches.values()]

    def aggregate(self) -> None:
        AggregateDocuments(store=self.store, clock=FakeClock(), max_attempts=5)(self.documents)
