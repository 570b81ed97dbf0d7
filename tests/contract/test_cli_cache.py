"""`linkner cache` over a database."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.support.one_question import claim_one, record_one
from workers.cli import app
from workers.ports import Answer, CachedAnswer, NewDocument, Recognised
from workers.store.repository import PostgresStore


@pytest.fixture
def answered(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> PostgresStore:
    """A store with one answered question, whose answer is kept; the commands know where it is."""
    monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)
    store, span = PostgresStore(engine), Span(0, 4)
    (new,) = store.accept([NewDocument("test", "1", "Anna sings")])
    scored = ScoredSpan(span, "person", 0.6, 0.4, {OUTSIDE: 0.4, "person": 0.6})
    store.record_recognised([Recognised(new.document_id, "m", Recognition((scored,), ()), ((scored,),))])
    claim = claim_one(store, 1, lease_s=60.0, max_attempts=5)
    assert claim is not None
    answer = Answer({span: "person"}, "llm", "p1", "person", 10, 1, replayed=False)
    record_one(store, claim, answer, keep=CachedAnswer(b"k", ("person",), "llm", "p1", "person", False))
    return store


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["cache", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def answers() -> int:
    return int(json.loads(run("stats", "--json"))["answers"])


def test_stats(answered: PostgresStore) -> None:
    found = json.loads(run("stats", "--json"))
    assert (found["answers"], found["answered"], found["from_cache"], found["hit_rate"]) == (1, 1, 0, 0.0)
    assert "answers kept" in run("stats")


@pytest.mark.parametrize(
    ("options", "purged"),
    [
        ((), 0),
        (("--older-than-days", "1"), 0),
        (("--older-than-days", "0"), 1),
        (("--all",), 1),
        (("--model", "llm"), 1),
        (("--model", "another"), 0),
        (("--model", "llm", "--older-than-days", "1"), 0),
    ],
)
def test_purge(answered: PostgresStore, options: tuple[str, ...], purged: int) -> None:
    assert json.loads(run("purge", *options, "--json")) == {"purged": purged}
    assert answers() == 1 - purged
