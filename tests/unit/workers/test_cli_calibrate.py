from __future__ import annotations

import json
import shutil

import pytest
import typer
from typer.testing import CliRunner

from linkner.calibration import DEFAULT_CHECKPOINT, read
from linkner.errors import ConfigurationError
from workers.cli.model import register

POST = (
    "Spending\tO\nthe\tO\nweekend\tO\nin\tO\nLisbon\tB-location\nwith\tO\n"
    "Barack\tB-person\nObama\tI-person\n\n"
)


def run(*arguments: str, command: str = "calibrate") -> object:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [command, "--device", "cpu", *arguments])


def test_calibrate_writes_into_the_checkpoint_and_shows_what_budgets_buy(tmp_path) -> None:
    model, data, replies = tmp_path / "model", tmp_path / "dev.conll", tmp_path / "replies.jsonl"
    model.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(DEFAULT_CHECKPOINT / name, model)
    data.write_text(POST * 40)
    replies.write_text("".join(f'{{"sentence": {index}, "entities": []}}\n' for index in range(40)))
    plot = tmp_path / "curve.png"

    result = run(
        *("--model", str(model), "--data", str(data), "--replies", str(replies)),
        *("--plot", str(plot), "--json"),
    )

    found = json.loads(result.stdout.splitlines()[-1])
    assert found["llm"] == "replay"
    assert found["local_f1"] > 0
    assert [one["budget"] for one in found["budgets"]] == sorted(one["budget"] for one in found["budgets"])
    assert {"person", "location"} <= read(model).wrong.keys()
    assert read(model).model == found["model"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_checkpoint_that_is_not_there_is_an_error_of_ours(tmp_path) -> None:
    result = run("--model", str(tmp_path / "none"), "--data", str(tmp_path / "dev.conll"))

    assert isinstance(result.exception, ConfigurationError)


def test_the_ceiling_is_reached_with_perfect_answers_and_asks_nobody(tmp_path) -> None:
    data = tmp_path / "dev.conll"
    data.write_text(POST * 40 + "Quux\tB-product\n\n" * 10)

    result = run("--data", str(data), "--price", "2", "--json", command="ceiling")

    found = json.loads(result.stdout.splitlines()[-1])
    assert found["f1"] < 1.0
    last = found["budgets"][-1]
    assert found["f1"] <= last["f1_of_perfect_answers"] <= last["f1_of_perfect_answers_and_additions"] <= 1.0
    assert last["cost_per_1000_posts"] == pytest.approx(2 * last["tokens_per_1000_posts"] / 1e6, abs=1e-6)
    table = run("--data", str(data), command="ceiling").stdout
    assert "No LLM was asked" in table
