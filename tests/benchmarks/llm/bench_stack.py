"""A stack for the benchmark: store, relay, aggregator and real LLM callers, but no local model.

Documents are put into the store as if they had been recognised, each with one question about one name.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine, text

from broker.publisher import Publisher
from broker.settings import Settings
from linkner.classification import Form, Question, ask_at_once
from linkner.labels import label_set
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from linkner.text import words
from tests.benchmarks.llm.windows import Called, read
from tests.benchmarks.servers import empty_servers, some_roles
from workers import bootstrap
from workers.chaos.replies import write_replies
from workers.handlers.sharing import SharedQuestion
from workers.ports import NewDocument, Recognised
from workers.stack.stack import free_port, replaying_llm
from workers.stack.supervisor import Role, Supervisor
from workers.store.database import connect
from workers.store.repository import PostgresStore

LABELS = label_set("wnut17")
FORM = Form(name="per-span", described=False)
MODEL = "simulated"
CHUNK = 8
"""Questions in a message."""

_CAPITALISED = re.compile(r"(?<!\S)[A-Z][a-z]+(?!\S)")
_CHUNK = 500


def asked_about(post: str) -> Span | None:
    """The one name that is asked about: the first capitalised word, else the first word."""
    found = _CAPITALISED.search(post)
    return Span(*found.span()) if found else next(iter(words(post)), None)


def question(post: str, span: Span) -> Question:
    """The question about it."""
    return ask_at_once(post, [span], form=FORM, label_set=LABELS)


def distinct(posts: Sequence[str]) -> int:
    """How many questions of these posts are distinct, by the answer cache's own key."""
    spans = ((post, asked_about(post)) for post in posts)
    return len({SharedQuestion.of(question(post, span), model=MODEL).key for post, span in spans if span})


@dataclass
class BenchStack:
    """A running stack; `provider` holds the simulated provider, `roles` everything else."""

    settings: Settings
    roles: Supervisor
    provider: Supervisor
    ledger: Path
    engine: Engine

    @cached_property
    def store(self) -> PostgresStore:
        return PostgresStore(self.engine)

    @cached_property
    def publisher(self) -> Publisher:
        return bootstrap.publisher(self.settings)

    def fill(self, posts: Sequence[str], *, prefix: str = "p") -> int:
        """Put a document with one question for each post; how many there are."""
        count = 0
        for first in range(0, len(posts), _CHUNK):
            chunk = [(post, asked_about(post)) for post in posts[first : first + _CHUNK]]
            new = [
                NewDocument("bench", f"{prefix}{first + number}", post)
                for number, (post, _) in enumerate(chunk)
            ]
            accepted = self.store.accept(new)
            self.store.record_recognised(
                [_recognised(one.document_id, span) for one, (_, span) in zip(accepted, chunk, strict=True)]
            )
            count += sum(span is not None for _, span in chunk)
        return count

    def number(self, statement: str) -> int:
        """One number from the store."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(statement)).scalar_one())

    def unfinished(self) -> int:
        """Documents that are not final yet."""
        return self.number("SELECT count(*) FROM documents WHERE state <> 'complete'")

    def calls(self) -> list[Called]:
        """The provider's ledger so far."""
        with self.ledger.open() as lines:
            return read(lines)


def _recognised(document_id: int, span: Span | None) -> Recognised:
    if span is None:
        return Recognised(document_id, "none", Recognition((), ()), ())
    scored = ScoredSpan(span, "person", 0.5, 0.5, {OUTSIDE: 0.5, "person": 0.5})
    return Recognised(document_id, "none", Recognition((scored,), ()), ((scored,),))


def caller(number: int) -> Role:
    """One LLM caller process."""
    return Role(f"llm-caller-{number}", ("worker", "classify"))


@contextmanager
def provider_alone(posts: Sequence[str], *options: str) -> Iterator[tuple[str, Path, Path]]:
    """A simulated provider that answers about these posts: its URL, its ledger, and a folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="linkner-")))
        port = free_port()
        supervisor = _provider(folder, port, posts, options)
        stack.callback(supervisor.stop)
        supervisor.wait_until_ready(within_s=60)
        yield f"http://127.0.0.1:{port}/v1", folder / "ledger.jsonl", folder


def _provider(folder: Path, port: int, posts: Sequence[str], options: Sequence[str]) -> Supervisor:
    lines = [json.dumps({"id": f"{number}", "text": post}).encode() for number, post in enumerate(posts)]
    replies = write_replies(lines, (), label="person", folder=folder)
    ledger = ("--ledger", str(folder / "ledger.jsonl"))
    supervisor = Supervisor(folder=folder, env={})
    supervisor.start([replaying_llm(port, (replies.posts, replies.replies), options=(*ledger, *options))])
    return supervisor


@contextmanager
def bench_stack(
    posts: Sequence[str], *options: str, callers: int = 4, slots: int = 32, environment: dict[str, str]
) -> Iterator[BenchStack]:
    """A stack whose provider answers about these posts and behaves as the options of `simulate-llm` say.

    No question is put yet. `environment` are settings of all roles.
    """
    with ExitStack() as stack:
        folder, env = stack.enter_context(empty_servers())
        (folder / "llm").mkdir()
        port = free_port()
        told = {
            **env,
            "LINKNER_LLM_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "LINKNER_LLM_MODEL": MODEL,
            "LINKNER_LLM_SLOTS": str(slots),
            "LINKNER_QUESTION_FORM": FORM.name,
            "LINKNER_QUESTION_DESCRIPTIONS": "false",
            "LINKNER_CLASSIFY_CHUNK": str(CHUNK),
            "LINKNER_CLASSIFY_DEPTH": str(2 * callers * slots // CHUNK),
            **environment,
        }
        provider = _provider(folder / "llm", port, posts, options)
        stack.callback(provider.stop)
        provider.wait_until_ready(within_s=60)
        fields = {name.removeprefix("LINKNER_").lower(): value for name, value in told.items()}
        engine = connect(told["LINKNER_POSTGRES_URL"], pool_size=4)
        stack.callback(engine.dispose)
        wanted = [
            Role("relay", ("relay",)),
            Role("aggregator", ("worker", "aggregate")),
            *(caller(number) for number in range(1, callers + 1)),
        ]
        yield BenchStack(
            settings=Settings.model_validate(fields),
            roles=stack.enter_context(some_roles(wanted, told, folder=folder)),
            provider=provider,
            ledger=folder / "llm" / "ledger.jsonl",
            engine=engine,
        )
