"""`linkner label` with a tiny model that knows three names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from linkner import conll
from tests.unit.trainer.tiny import trained_model
from workers.cli.model import register

SURE = ("--unsure", 0.5, 0.5)


@pytest.fixture(scope="module")
def model(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_model(tiny_encoder, tmp_path_factory.mktemp("model"))


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    texts = ["tree Zyx house rain seems", "tree Zyx house rain seems", "green tree house", "house rain seems"]
    path = tmp_path / "posts.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "text": one}) + "\n" for n, one in enumerate(texts)))
    return path


def label(posts: Path, model: Path, output: Path, *options: object) -> Result:
    app = typer.Typer()
    register(app)
    models = ["--model", model, "--model", model]
    arguments = ["label", "--posts", posts, "--output", output, *models, "--device", "cpu", *options]
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_posts_become_a_file_to_train_on(model, posts, tmp_path) -> None:
    result = label(posts, model, tmp_path / "labelled.conll", *SURE, "--json")

    assert result.exception is None, result.exception
    assert json.loads(result.stdout) == {
        "posts": 4,
        "sentences": 2,
        "entities": 1,
        "repeated": 1,
        "held_out": 0,
        "unsure": 0,
        "surplus": 1,
        "output": str(tmp_path / "labelled.conll"),
    }
    named, bare = conll.read(tmp_path / "labelled.conll")
    assert [named.surface(entity.span) for entity in named.entities] == ["Zyx"]
    assert bare.entities == ()


def test_people_read_what_was_left_out(model, posts, tmp_path) -> None:
    result = label(posts, model, tmp_path / "labelled.conll", *SURE)
    assert "2 of 4 posts with 1 entities" in result.stdout
    assert "1 empty or repeated, 0 to measure on, 0 unsure, 1 without an entity" in result.stdout


def test_posts_to_measure_on_are_left_out(model, posts, tmp_path) -> None:
    test = tmp_path / "test.conll"
    test.write_text("House\tO\nrain\tO\nseems\tO\n")
    result = label(posts, model, tmp_path / "labelled.conll", *SURE, "--except", test, "--json")
    found = json.loads(result.stdout)
    assert (found["held_out"], found["surplus"]) == (1, 0)


def test_its_own_input_is_not_overwritten(model, posts) -> None:
    before = posts.read_text()
    result = label(posts, model, posts)
    assert "named twice" in str(result.exception)
    assert posts.read_text() == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--limit", 0), None),
        (("--unsure", 0.6, 0.3), "--unsure is no range of probabilities"),
        (("--unsure", 0.0, 1.0), "sure of no entity"),
        (("--except", "nowhere.conll"), "nowhere.conll"),
    ],
)
def test_bad_options_are_one_clear_error(model, posts, tmp_path, options, problem) -> None:
    result = label(posts, model, tmp_path / "labelled.conll", *options)
    assert result.exit_code != 0
    assert problem is None or problem in str(result.exception)
    assert not (tmp_path / "labelled.conll").exists()
