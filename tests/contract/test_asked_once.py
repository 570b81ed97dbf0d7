"""Equal questions are one call, whatever is repeated, doubled or at once; without the cache they are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from sqlalchemy import Engine

from linkner.classification import Form, Prompt
from linkner.labels import label_set
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.contract.store.overtaking import held_back, without
from tests.fakes.llm import FreeLlms
from tests.fakes.slots import FakeSlots, handle_one
from tests.support.blocking import wait_until_blocked
from tests.support.one_question import alone, claim_one, recall_one, record_one
from workers.clock import SystemClock
from workers.handlers.answering import Answering
from workers.handlers.budget import Budget
from workers.handlers.classify import ClassifyQuestions
from workers.ports import Answer, CachedAnswer, ClaimedQuestion, NewDocument, Recognised, Reply
from workers.store import answer_cache
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

NAMES = ("Anna", "Bodil", "Chidi", "Dagny", "Emeka")
COPIES = (
    "{0} in Oslo https://t.co/{1}",
    "RT @paper{1}: {0} in Oslo https://t.co/x{1}",
    "{0}  in Oslo https://t.co/",
)
A_DAY_S = 86_400.0


class HeldLlm:
    """ports.Llm for threads; the first call, once `under_way`, lasts until it `may_end`."""

    def __init__(self) -> None:
        self.calls = 0
        self.under_way, self.may_end = threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def ask(self, prompt: Prompt) -> Reply:
        with self._lock:
            self.calls += 1
            first = self.calls == 1
        if first:
            self.under_way.set()
            assert self.may_end.wait(30)
        return Reply("person", "held", 10, 1, replayed=True)


class Stream:
    """Copies of a few posts, each with one question, and the caller that answers them."""

    def __init__(self, engine: Engine, *, cache_max_age_s: float) -> None:
        self.store, self.outbox = PostgresStore(engine), PostgresOutbox(engine)
        self.reader, self.llm = PostgresReader(engine), HeldLlm()
        self.classify = ClassifyQuestions(
            answering=Answering(
                store=self.store,
                record=alone(self.store),
                form=Form(),
                label_set=label_set("wnut17"),
                model="held",
                max_attempts=5,
                cache_max_age_s=cache_max_age_s,
            ),
            llms=FreeLlms(self.llm),
            slots=FakeSlots(),
            lease_s=60.0,
            budget=Budget(ledger=self.reader, clock=SystemClock()),
        )

    def handle(self, question_id: int) -> object:
        return handle_one(self.classify, question_id)

    def accept(self, *texts: str) -> None:
        accepted = self.store.accept([NewDocument("test", str(n), text) for n, text in enumerate(texts)])
        self.store.record_recognised(
            [
                _recognised(stored.document_id, stored.text)
                for stored in self.store.texts([new.document_id for new in accepted])
            ]
        )

    def due(self) -> list[int]:
        ids: list[int] = []
        self.outbox.publish_due("classify", limit=1000, send=ids.extend)
        return ids


def _recognised(document_id: int, text: str) -> Recognised:
    (name,) = [name for name in NAMES if name in text]
    span = Span(text.index(name), text.index(name) + len(name))
    scored = ScoredSpan(span, "person", 0.6, 0.4, {OUTSIDE: 0.4, "person": 0.6})
    return Recognised(document_id, "local", Recognition((scored,), ()), ((scored,),))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def _carry_doubled(stream: Stream, pool: ThreadPoolExecutor) -> None:
    """Deliver every message twice, in any order, to eight slots, until nothing is due any more."""
    stream.accept(*(copy.format(name, n) for n in range(4) for name in NAMES for copy in COPIES))
    stream.llm.may_end.set()
    random = Random(0)
    while ids := stream.due():
        messages = ids * 2
        random.shuffle(messages)
        list(pool.map(stream.handle, messages))
    questions = stream.reader.counts().questions
    assert questions == {"answered": 4 * len(NAMES) * len(COPIES)}


def test_a_stream_whose_messages_all_come_twice(engine: Engine, threads: ThreadPoolExecutor) -> None:
    stream = Stream(engine, cache_max_age_s=A_DAY_S)
    _carry_doubled(stream, threads)
    assert stream.llm.calls == len(NAMES)
    assert stream.reader.cache().from_cache == 4 * len(NAMES) * len(COPIES) - len(NAMES)


def test_the_same_with_the_cache_switched_off(engine: Engine, threads: ThreadPoolExecutor) -> None:
    stream = Stream(engine, cache_max_age_s=0.0)
    _carry_doubled(stream, threads)
    assert stream.llm.calls > len(NAMES)


def _during_the_first_call(stream: Stream, pool: ThreadPoolExecutor) -> list[object]:
    """What becomes of all messages that come while the first call is under way."""
    stream.accept(*(copy.format("Anna", n) for n in range(4) for copy in COPIES))
    first, *others = stream.due()
    call = pool.submit(stream.handle, first)
    assert stream.llm.under_way.wait(30)
    meanwhile = [pool.submit(stream.handle, question_id) for question_id in others]
    outcomes = [future.result(30) for future in meanwhile]
    stream.llm.may_end.set()
    assert call.result(30) == "answered"
    return outcomes


def test_equal_questions_hold_no_slot_while_the_first_is_asked(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    stream = Stream(engine, cache_max_age_s=A_DAY_S)
    assert set(_during_the_first_call(stream, threads)) == {"put-off"}
    woken = stream.due()
    assert len(woken) == 4 * len(COPIES) - 1
    assert {stream.handle(question_id) for question_id in woken} == {"answered"}
    assert stream.llm.calls == 1


def test_with_the_cache_switched_off_each_is_asked(engine: Engine, threads: ThreadPoolExecutor) -> None:
    stream = Stream(engine, cache_max_age_s=0.0)
    assert set(_during_the_first_call(stream, threads)) == {"answered"}
    assert stream.llm.calls == 4 * len(COPIES)


class TestOnePromise:
    """Two callers that look into the cache at once: one of them asks."""

    def _two_recalls(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[object]:
        first, second = _two_claims(engine)
        with held_back(database_url) as (slow, commit):
            one = pool.submit(recall_one, slow, first, b"key", max_age_s=A_DAY_S)
            assert commit.reached.wait(30)
            two = pool.submit(recall_one, PostgresStore(engine), second, b"key", max_age_s=A_DAY_S)
            wait_until_blocked(engine, or_=two.done)
            commit.go.set()
            return [one.result(30), two.result(30)]

    def test_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._two_recalls(engine, database_url, threads) == ["ask", "put-off"]

    def test_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        condition = "known.promised_until <= now() OR known.question_id = excluded.question_id"
        monkeypatch.setattr(answer_cache, "PROMISE", without(answer_cache.PROMISE, condition, "true"))
        assert self._two_recalls(engine, database_url, threads) == ["ask", "ask"]


def _two_claims(engine: Engine) -> list[ClaimedQuestion]:
    stream = Stream(engine, cache_max_age_s=A_DAY_S)
    stream.accept("Anna in Oslo", "RT @paper: Anna in Oslo")
    claims = [claim_one(stream.store, id_, lease_s=60.0, max_attempts=5) for id_ in stream.due()]
    return [claim for claim in claims if claim is not None]


def test_an_answer_wakes_what_is_being_put_off(
    engine: Engine, database_url: str, threads: ThreadPoolExecutor
) -> None:
    """The answer waits for a question that is about to wait for it, and makes it due."""
    first, second = _two_claims(engine)
    store = PostgresStore(engine)
    assert recall_one(store, first, b"key", max_age_s=A_DAY_S) == "ask"
    answer = Answer({first.candidates[0]: "person"}, "held", "p1", "person", 10, 1, replayed=True)
    keep = CachedAnswer(b"key", ("person",), "held", "p1", "person", replayed=True)
    with held_back(database_url) as (slow, commit):
        put_off = threads.submit(recall_one, slow, second, b"key", max_age_s=A_DAY_S)
        assert commit.reached.wait(30)
        answered = threads.submit(record_one, store, first, answer, keep=keep)
        wait_until_blocked(engine, or_=answered.done)
        commit.go.set()
        assert (put_off.result(30), answered.result(30)) == ("put-off", True)
    due: list[int] = []
    PostgresOutbox(engine).publish_due("classify", limit=10, send=due.extend)
    assert due == [second.question_id]
