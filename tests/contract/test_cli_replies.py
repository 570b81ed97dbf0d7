"""`linkner replies` over a database, and what `linkner train` makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from linkner import conll
from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.spans import OUTSIDE, Entity, LabelledSpan, Recognition, ScoredSpan, Span
from tests.support.joining import complete
from tests.support.one_question import claim_one, record_one
from trainer.recorded import read_labelled_posts
from workers.cli import app
from workers.ports import Answer, NewDocument, Recognised
from workers.store.repository import PostgresStore

ANNA = Span(0, 4)


@pytest.fixture
def store(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> PostgresStore:
    monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)
    return PostgresStore(engine)


def finished(store: PostgresStore, number: int, text: str, *, label: str, source: str = "test") -> None:
    """A post whose first word the LLM was asked about."""
    (new,) = store.accept([NewDocument(source, str(number), text)])
    scored = ScoredSpan(ANNA, "person", 0.6, 0.4, {OUTSIDE: 0.4, "person": 0.6})
    store.record_recognised([Recognised(new.document_id, "m", Recognition((scored,), ()), ((scored,),))])
    claim = claim_one(store, number, lease_s=60.0, max_attempts=5)
    assert claim is not None
    record_one(store, claim, Answer({ANNA: label}, "llm", "p1", label, 10, 1, replayed=True))
    entities = [] if label == OUTSIDE else [Entity(ANNA, label, "llm", 0.6, 0.4)]
    complete(store, {new.document_id: entities})


def run(folder: Path, *options: str) -> Result:
    files = ("--posts", str(folder / "posts.jsonl"), "--output", str(folder / "replies.jsonl"))
    return CliRunner().invoke(app, ["replies", *files, *options])


def labelled(folder: Path) -> list[tuple[str, tuple[LabelledSpan, ...]]]:
    found = read_labelled_posts(folder / "posts.jsonl", folder / "replies.jsonl")
    return [(" ".join(one.words), one.entities) for one in found.sentences]


def test_training_reads_what_the_llm_said(store: PostgresStore, tmp_path: Path) -> None:
    finished(store, 1, "Anna sings of the sea", label="person")
    finished(store, 2, "Some sing of the sea", label=OUTSIDE)
    result = run(tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) | {"output": ""} == {
        "posts": 2,
        "entities": 1,
        "replayed": 1,
        "output": "",
    }
    assert labelled(tmp_path) == [
        ("Some sing of the sea", ()),
        ("Anna sings of the sea", (LabelledSpan(Span(0, 1), "person"),)),
    ]


def test_copies_come_once_and_the_newest_first(store: PostgresStore, tmp_path: Path) -> None:
    finished(store, 1, "Anna sings of the sea", label="person")
    finished(store, 2, "Anna is here", label="person", source="other")
    finished(store, 3, "RT @someone: Anna is here", label="person")
    assert run(tmp_path).exit_code == 0
    assert [text for text, _ in labelled(tmp_path)] == [
        "RT @ someone : Anna is here",
        "Anna sings of the sea",
    ]
    assert run(tmp_path, "--limit", "1").exit_code == 0
    assert len(labelled(tmp_path)) == 1


def test_posts_of_one_source(store: PostgresStore, tmp_path: Path) -> None:
    finished(store, 1, "Anna sings of the sea", label="person")
    finished(store, 2, "Anna is here", label="person", source="other")
    assert run(tmp_path, "--source", "other").exit_code == 0
    assert [text for text, _ in labelled(tmp_path)] == ["Anna is here"]


def test_texts_to_measure_on_are_left_out(store: PostgresStore, tmp_path: Path) -> None:
    finished(store, 1, "Anna sings of the sea and of ships", label="person")
    finished(store, 2, "Anna is here", label="person")
    words = ("Anna", "sings", "of", "the", "sea", "and", "of", "ships")
    conll.write(tmp_path / "test.conll", [Sentence(words, ())])
    assert run(tmp_path, "--except", str(tmp_path / "test.conll")).exit_code == 0
    assert [text for text, _ in labelled(tmp_path)] == ["Anna is here"]


def test_nothing_answered_is_an_error(store: PostgresStore, tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code != 0
    assert "answered about no such post" in str(result.exception)


def test_files_stay_where_nothing_was_found(store: PostgresStore, tmp_path: Path) -> None:
    for name in ("posts.jsonl", "replies.jsonl"):
        (tmp_path / name).write_text("old")
    assert run(tmp_path).exit_code != 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "posts.jsonl": "old",
        "replies.jsonl": "old",
    }


def test_two_files_are_wanted(store: PostgresStore, tmp_path: Path) -> None:
    finished(store, 1, "Anna sings of the sea", label="person")
    result = run(tmp_path, "--output", str(tmp_path / "posts.jsonl"))
    assert isinstance(result.exception, InputError)
    assert "named twice" in str(result.exception)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("path", [".", "nowhere/replies.jsonl"])
def test_a_file_that_cannot_be_written_is_one_clear_error(
    store: PostgresStore, tmp_path: Path, path: str
) -> None:
    finished(store, 1, "Anna sings of the sea", label="person")
    result = run(tmp_path, "--output", str(tmp_path / path))
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("cannot write ")
    assert not [*tmp_path.iterdir()]
