"""`linkner erase` over a database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from linkner.errors import InputError
from workers.cli import app
from workers.ports import NewDocument, Selection
from workers.store.erasing import PostgresErasure
from workers.store.repository import PostgresStore

TEST = Selection(source="test")


@pytest.fixture
def erasure(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> PostgresErasure:
    """A store with 600 posts by Ada and one by Bob; the command knows where it is."""
    monkeypatch.setenv("LINKNER_POSTGRES_URL", database_url)
    posts = [NewDocument("test", str(number), "text", author="ada") for number in range(600)]
    PostgresStore(engine).accept([*posts, NewDocument("test", "bob", "text", author="bob")])
    return PostgresErasure(engine)


def run(*arguments: str, answer: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(app, ["erase", *arguments], input=answer, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def summary(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


def test_an_author_with_all_posts(erasure: PostgresErasure) -> None:
    assert summary("--author", "ada", "--yes") == {"found": 600, "erased": 600, "dry_run": False}
    assert erasure.count(TEST) == 1


def test_one_document(erasure: PostgresErasure) -> None:
    assert summary("--source", "test", "--document", "7", "--yes")["erased"] == 1
    assert summary("--source", "test", "--document", "7", "--yes")["found"] == 0


def test_a_dry_run_counts_and_erases_nothing(erasure: PostgresErasure) -> None:
    assert summary("--author", "ada", "--dry-run") == {"found": 600, "erased": 0, "dry_run": True}
    assert "600 would be erased" in run("--author", "ada", "--dry-run")
    assert erasure.count(TEST) == 601


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, 601), ("", 1, 601), ("y\n", 0, 600)])
def test_it_asks_first(erasure: PostgresErasure, answer: str, code: int, left: int) -> None:
    run("--author", "bob", answer=answer, code=code)
    assert erasure.count(TEST) == left


def test_without_a_terminal_json_needs_a_yes(erasure: PostgresErasure) -> None:
    result = CliRunner().invoke(app, ["erase", "--author", "ada", "--json"])
    assert isinstance(result.exception, InputError)
    assert "--yes" in str(result.exception)
    assert result.stdout == ""
    assert erasure.count(TEST) == 601


def test_by_time(erasure: PostgresErasure) -> None:
    assert summary("--source", "test", "--before", "2000-01-01", "--yes")["found"] == 0
    assert summary("--before", "9000-01-01T00:00:00Z", "--yes")["erased"] == 601


@pytest.mark.parametrize("arguments", [(), ("--document", "7"), ("--before", "yesterday")])
def test_what_is_not_clear_is_one_clear_error(erasure: PostgresErasure, arguments: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        run(*arguments, "--yes")
    assert erasure.count(TEST) == 601
