"""Batches without PostgreSQL and without a provider."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from linkner.classification import Prompt
from linkner.errors import RejectedError, ServiceError, UnavailableError
from tests.fakes.llm import FakeLlm
from tests.fakes.store import FakeStore
from tests.fakes.store.rows import Question
from workers.ports import DEADLINE, BatchedQuestion, BatchState, Call, Reply, StoredBatch
from workers.store.batching import ERASED_SOURCE
from workers.store.dead import Ref


class FakeBatches:
    """ports.Batches over the questions of a FakeStore."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self._open: dict[int, tuple[StoredBatch, float]] = {}
        self._paid: set[int] = set()
        self.errors: dict[int, str | None] = {}

    def gather(self, *, at_least: int, at_most: int, after_s: float) -> StoredBatch | None:
        now = self._store.now
        due = [
            question
            for question in self._store.questions
            if question.lane == "batch"
            and question.batch_id is None
            and question.state == "pending"
            and question.not_before <= now
        ]
        due = sorted(due, key=lambda question: (question.not_before, question.id))[:at_most]
        oldest = min((question.created_at for question in due), default=now)
        if not due or (len(due) < at_least and now - oldest < after_s):
            return None
        batch_id = len(self._open) + len(self.errors) + 1
        batch = StoredBatch(batch_id, f"batch {batch_id}", provider_id=None, age_s=0.0)
        self._open[batch_id] = (batch, now)
        for question in due:
            question.batch_id = batch_id
        return batch

    def open(self) -> list[StoredBatch]:
        return [replace(batch, age_s=self._store.now - since) for batch, since in self._open.values()]

    def members(self, batch_id: int) -> list[BatchedQuestion]:
        return [
            BatchedQuestion(
                question_id=question.id,
                document_id=question.document.id,
                source=question.document.new.source,
                text=question.document.new.text,
                candidates=tuple(sorted(candidate.span for candidate in question.candidates)),
                state="open" if question.is_open else "answered" if question.answer else "dead",
            )
            for question in self._store.questions
            if question.batch_id == batch_id
        ]

    def sending(self, batch_id: int, *, estimate: Mapping[str, Decimal]) -> bool:
        if batch_id not in self._open:
            return False
        self._store.expect(batch_id, estimate)
        batch, _ = self._open[batch_id]
        self._open[batch_id] = (batch, self._store.now)
        return True

    def submitted(self, batch_id: int, *, provider_id: str) -> bool:
        if batch_id not in self._open:
            return False
        batch, since = self._open[batch_id]
        self._open[batch_id] = (replace(batch, provider_id=provider_id), since)
        return True

    def paid(self, batch_id: int, calls: Sequence[tuple[int, Call]]) -> bool:
        if batch_id not in self._open or batch_id in self._paid:
            return False
        self._paid.add(batch_id)
        self._store.expect(batch_id, {})
        sources = {question.id: question.document.new.source for question in self._store.questions}
        for question_id, call in calls:
            self._store.add_call(sources.get(question_id, ERASED_SOURCE), call)
        return True

    def close(self, batch_id: int, *, error: str | None) -> None:
        if self._open.pop(batch_id, None) is None:
            return
        self._store.expect(batch_id, {})
        self.errors[batch_id] = error
        for question in self._store.questions:
            if question.batch_id == batch_id and question.state != "answered":
                question.batch_id = None

    def known(self, keys: Collection[bytes], *, max_age_s: float) -> set[bytes]:
        return {key for key in keys if self._store.is_known(key, max_age_s=max_age_s)}

    def reopen_late(self, batch_id: int, question_ids: Collection[int]) -> int:
        late = [
            question
            for question in self._store.questions
            if question.id in question_ids
            and (question.batch_id, question.state, question.reason) == (batch_id, "dead", DEADLINE)
        ]
        return sum(self._reopen(question) for question in late)

    def _reopen(self, question: Question) -> int:
        attempts = question.attempts
        reopened = self._store.replay([Ref("question", question.id)])
        question.attempts = attempts
        return reopened


@dataclass
class FakeBatchLlm:
    """ports.BatchLlm over a FakeLlm's answers.

    A batch has ended unless `running`; `lost` are ids of prompts that are then missing from its results,
    `expired` those that were not done in time. Each of `failures` is raised first, one a call.
    """

    llm: FakeLlm
    running: bool = False
    lost: Callable[[str], bool] = lambda _: False
    expired: Callable[[str], bool] = lambda _: False
    failures: list[ServiceError] = field(default_factory=list)
    batches: dict[str, Mapping[str, Prompt]] = field(default_factory=dict)
    discarded: list[str] = field(default_factory=list)

    def submit(self, name: str, prompts: Mapping[str, Prompt]) -> str:
        self._fail()
        self.batches[name] = dict(prompts)
        return f"provider's {name}"

    def find(self, name: str) -> str | None:
        self._fail()
        return f"provider's {name}" if name in self.batches else None

    def state(self, batch_id: str) -> BatchState:
        self._fail()
        return BatchState(ended=not self.running, error=None)

    def results(self, batch_id: str) -> Mapping[str, Reply | ServiceError]:
        self._fail()
        prompts = self.batches[batch_id.removeprefix("provider's ")]
        return {id_: self._result(id_, prompt) for id_, prompt in prompts.items() if not self.lost(id_)}

    def discard(self, batch_id: str) -> None:
        self._fail()
        self.discarded.append(batch_id)

    def _result(self, custom_id: str, prompt: Prompt) -> Reply | ServiceError:
        if self.expired(custom_id):
            return UnavailableError("not done in time")
        try:
            return self.llm.ask(prompt)
        except RejectedError as error:
            return error

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
