"""What ended without its result, on PostgreSQL: listed, replayed, dropped; and the same by command."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

import workers.store.parked
from broker.queues import celery_app, declared_queues
from broker.settings import Settings
from linkner.errors import InputError, UnavailableError
from linkner.spans import Entity, Recognition, ScoredSpan, Span
from tests.support.joining import complete
from tests.support.one_question import claim_one
from workers.cli import app
from workers.ports import UNUSABLE, DocumentView, NewDocument, Recognised, Stage
from workers.store.dead import PostgresDead, Ref
from workers.store.outbox import PostgresOutbox
from workers.store.parked import PostgresParking
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

ANNA = Span(0, 4)
SCORED = ScoredSpan(ANNA, "person", 0.75, 0.5, {"person": 0.75, "O": 0.25})
FALLBACK = Entity(ANNA, "person", "fallback", 0.75, 0.5, reason="llm-refused")


@dataclass(frozen=True)
class World:
    """A store with one dead document and one dead question, whose document is final."""

    store: PostgresStore
    outbox: PostgresOutbox
    reader: PostgresReader
    dead: PostgresDead
    document: Ref
    question: Ref
    asked_document: int
    sent: list[tuple[str, object]] = field(default_factory=list)

    def replay(self, refs: list[Ref]) -> int:
        return self.dead.replay(refs, send=lambda queue, message: self.sent.append((queue, message)))

    def due(self, stage: Stage) -> list[int]:
        sent: list[int] = []
        self.outbox.publish_due(stage, limit=10, send=sent.extend)
        return sent

    def view(self, document_id: int) -> DocumentView:
        view = self.reader.document(document_id)
        assert view is not None
        return view

    def feed(self) -> list[tuple[int, int]]:
        items = self.reader.feed(after=0, limit=10)
        return [(item.document.document_id, item.document.revision) for item in items]


@pytest.fixture
def world(engine: Engine) -> World:
    store, outbox = PostgresStore(engine), PostgresOutbox(engine)
    posts = [NewDocument("test", "poison", "\u0001"), NewDocument("test", "asked", "Anna in Oslo")]
    poison, asked = [accepted.document_id for accepted in store.accept(posts)]
    store.begin_recognition([poison])
    store.fail_recognition([poison], reason="attempts-exhausted", error="HTTP 500")
    store.record_recognised([Recognised(asked, "local", Recognition((SCORED,), ()), ((SCORED,),))])
    questions: list[int] = []
    outbox.publish_due("classify", limit=1, send=questions.extend)
    claim = claim_one(store, questions[0], lease_s=60, max_attempts=5)
    assert claim is not None
    store.end_question(claim, reason="llm-refused", error="HTTP 400")
    complete(store, {asked: [FALLBACK]})
    return World(
        store=store,
        outbox=outbox,
        reader=PostgresReader(engine),
        dead=PostgresDead(engine),
        document=Ref("document", poison),
        question=Ref("question", questions[0]),
        asked_document=asked,
    )


def test_the_list_says_what_ended_and_why(world: World) -> None:
    question, document = world.dead.listed()
    assert (question.ref, question.reason, question.last_error) == (world.question, "llm-refused", "HTTP 400")
    assert (question.document_id, question.external_id, question.text, question.attempts) == (
        world.asked_document,
        "asked",
        "Anna in Oslo",
        1,
    )
    assert (document.ref, document.reason, document.last_error, document.attempts) == (
        world.document,
        "attempts-exhausted",
        "HTTP 500",
        1,
    )


def test_the_list_can_be_cut_by_reason_time_and_length(world: World) -> None:
    question, document = world.dead.listed()
    assert world.dead.listed(reason="llm-refused") == [question]
    assert world.dead.listed(before=document.ended_at) == [document]
    assert world.dead.listed(limit=1) == [question]


def test_a_replayed_question_is_asked_again_and_its_answer_makes_another_revision(world: World) -> None:
    assert world.feed() == [(world.document.id, 1), (world.asked_document, 1)]
    assert world.replay([world.question]) == 1
    assert [item.ref for item in world.dead.listed()] == [world.document]
    view = world.view(world.asked_document)
    assert (view.status, view.revision, view.completed_at) == ("provisional", 1, None)
    assert [entity.decided_by for entity in view.entities] == ["local"]
    assert world.feed() == [(world.document.id, 1)], "no longer final"

    assert world.due("classify") == [world.question.id]
    claim = claim_one(world.store, world.question.id, lease_s=60, max_attempts=5)
    assert claim is not None
    assert claim.attempts == 1
    world.store.end_question(claim, reason="llm-refused", error="HTTP 400 again")
    assert world.due("aggregate") == [world.asked_document]
    complete(world.store, {world.asked_document: [FALLBACK]})
    assert world.view(world.asked_document).revision == 2
    assert world.feed() == [(world.document.id, 1), (world.asked_document, 2)]


def test_what_is_tried_again_leaves_nothing_in_the_feed_to_step_over(world: World, engine: Engine) -> None:
    def rows() -> int:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM feed")).scalar_one())

    assert rows() == 2
    seen = world.reader.feed(after=0, limit=10)[-1].cursor
    assert world.replay([world.question]) == 1
    assert rows() == 1
    assert world.replay([world.document]) == 1
    assert rows() == 0
    world.store.begin_recognition([world.document.id])
    world.store.fail_recognition([world.document.id], reason="attempts-exhausted", error="HTTP 500")
    (item,) = world.reader.feed(after=seen, limit=10)
    assert (item.document_id, item.document and item.document.revision) == (world.document.id, 2)


def test_a_replayed_document_is_recognised_again_with_all_its_attempts(world: World) -> None:
    assert world.replay([world.document]) == 1
    view = world.view(world.document.id)
    assert (view.status, view.reason, view.completed_at) == ("accepted", None, None)
    assert world.due("recognise") == [world.document.id]
    assert [stored.attempts for stored in world.store.texts([world.document.id])] == [0]


def test_a_replayed_document_that_could_not_be_joined_is_joined_again(world: World) -> None:
    (accepted,) = world.store.accept([NewDocument("test", "spoilt", "Anna in Oslo")])
    spoilt = Ref("document", accepted.document_id)
    world.store.record_recognised([Recognised(spoilt.id, "local", Recognition((SCORED,), ()), ())])
    world.store.begin_join([spoilt.id])
    world.store.fail_join(spoilt.id, reason="attempts-exhausted", error="a defect")
    listed = world.dead.listed()[0]
    assert (listed.ref, listed.last_error, listed.attempts) == (spoilt, "a defect", 1)
    assert world.replay([spoilt]) == 1
    assert world.due("aggregate") == [spoilt.id]
    assert world.store.join_attempts([spoilt.id]) == {spoilt.id: 0}
    complete(world.store, {spoilt.id: []})
    assert (world.view(spoilt.id).revision, world.view(spoilt.id).reason) == (2, None)


def test_the_deadline_of_what_is_replayed_counts_from_then(world: World) -> None:
    world.replay([world.document, world.question])
    swept = world.outbox.sweep(republish_after_s=60, deadline_s=60, document_deadline_s=60)
    assert set(swept.values()) == {0}
    assert world.outbox.sweep(republish_after_s=60, deadline_s=60, document_deadline_s=0)["overdue_documents"]


def test_what_is_not_dead_cannot_be_replayed_or_dropped(world: World) -> None:
    alive = [Ref("document", world.asked_document), Ref("question", world.question.id + 1)]
    assert (world.replay(alive), world.dead.drop(alive)) == (0, 0)
    world.replay([world.question])
    assert (world.replay([world.question]), world.dead.drop([world.question])) == (0, 0)
    assert world.dead.show(world.question) is None


def test_what_is_dropped_leaves_the_list_and_can_still_be_replayed_by_name(world: World) -> None:
    assert world.dead.drop([world.document, world.question]) == 2
    assert world.dead.drop([world.document, world.question]) == 0
    assert world.dead.listed() == []
    assert world.view(world.asked_document).status == "final"
    assert world.dead.show(world.question) is not None
    assert world.replay([world.question]) == 1


class TestMessages:
    MESSAGE: ClassVar = {"v": 99, "posts": [{"text": "caf\u00e9 \0 \ud800"}]}

    @pytest.fixture
    def parked(self, world: World, engine: Engine) -> Ref:
        parking = PostgresParking(engine)
        parking.park("ingest", {"v": 99}, "an older problem")
        for _ in range(2):
            parking.park("ingest", self.MESSAGE, "unknown message version")
        assert world.reader.counts().parked == 2
        return world.dead.listed()[0].ref

    def test_the_same_message_is_kept_once_and_counted(self, world: World, parked: Ref) -> None:
        item = world.dead.show(parked)
        assert item is not None
        assert (item.source, item.reason, item.last_error, item.attempts, item.document_id) == (
            "ingest",
            UNUSABLE,
            "unknown message version",
            2,
            None,
        )
        assert json.loads(item.text) == self.MESSAGE

    def test_it_is_sent_again_as_it_came(self, world: World, parked: Ref) -> None:
        assert world.replay([parked]) == 1
        assert world.sent == [("ingest", self.MESSAGE)]
        assert world.replay([parked]) == 0

    def test_it_is_kept_where_it_cannot_be_sent(self, world: World, parked: Ref) -> None:
        def away(queue: str, message: object) -> None:
            raise UnavailableError("the broker is away")

        with pytest.raises(UnavailableError):
            world.dead.replay([parked], send=away)
        assert world.dead.show(parked) is not None

    def test_dropping_forgets_it(self, world: World, parked: Ref) -> None:
        assert world.dead.drop([parked]) == 1
        assert world.dead.show(parked) is None

    def test_what_is_no_json_is_kept_as_text(self, world: World, engine: Engine) -> None:
        PostgresParking(engine).park("classify", {1, 2}, "odd")
        assert world.dead.listed()[0].text == '"{1, 2}"'

    def test_what_cannot_be_parked_for_whatever_reason_is_to_come_again(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers.store.parked, "_PARK", text("SELECT 1 / 0"))
        with pytest.raises(UnavailableError, match="DivisionByZero"):
            PostgresParking(engine).park("ingest", {}, "odd")

    def test_the_command_sends_to_the_broker(
        self,
        parked: Ref,
        database_url: str,
        redis_url: str,
        redis_prefix: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        settings = Settings(postgres_url=database_url, redis_url=redis_url, key_prefix=redis_prefix)
        for name in ("postgres_url", "redis_url", "key_prefix"):
            monkeypatch.setenv(f"LINKNER_{name.upper()}", getattr(settings, name))
        result = CliRunner().invoke(app, ["dead", "replay", str(parked)], catch_exceptions=False)
        assert result.exit_code == 0
        with celery_app(settings).connection_for_read() as connection:
            taken = declared_queues(settings)["ingest"](connection.default_channel).get(no_ack=True)
            assert taken.payload[0] == [self.MESSAGE]


@pytest.mark.parametrize(
    "written", ["", "question", "question:", "question:-1", "question:x", "q:1", "question:²"]
)
def test_only_names_are_read_as_names(written: str) -> None:
    with pytest.raises(InputError, match="names nothing"):
        Ref.parse(written)


class TestCommands:
    @pytest.fixture(autouse=True)
    def _environment(self, world: World, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)

    def run(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, ["dead", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def test_list(self, world: World) -> None:
        table = self.run("list")
        assert str(world.question) in table
        assert "llm-refused" in table
        lines = [json.loads(line) for line in self.run("list", "--json").splitlines()]
        assert [line["name"] for line in lines] == [str(world.question), str(world.document)]

    def test_show(self, world: World) -> None:
        assert "last error: HTTP 400" in self.run("show", str(world.question))
        assert json.loads(self.run("show", str(world.document), "--json"))["text"] == "\u0001"

    @pytest.mark.parametrize(("arguments", "count"), [(["--all"], 2), (["--reason", "llm-refused"], 1)])
    @pytest.mark.parametrize("command", ["replay", "drop"])
    def test_many_at_once(self, world: World, command: str, arguments: list[str], count: int) -> None:
        assert self.run(command, *arguments).startswith(f"{count} ")
        assert len(world.dead.listed()) == 2 - count

    def test_by_name(self, world: World) -> None:
        assert self.run("replay", str(world.document), str(world.question)).startswith("2 ")
        assert self.run("list") == "nothing is dead\n"

    @pytest.mark.parametrize("arguments", [[], ["question:1", "--all"], ["--all", "--reason", "x"]])
    def test_what_is_meant_must_be_said_one_way(self, arguments: list[str]) -> None:
        with pytest.raises(InputError, match="not clear"):
            self.run("drop", *arguments)
