from __future__ import annotations

import json
import shutil

import typer
from typer.testing import CliRunner

from linkner.calibration import DEFAULT, read
from linkner.errors import ConfigurationError
from workers.cli.model import register

POST = (
    "Spending\tO\nthe\tO\nweekend\tO\nin\tO\nLisbon\tB-location\nwith\tO\n"
    "Barack\tB-person\nObama\tI-person\n\n"
)


def run(*arguments: str) -> object:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["calibrate", "--device", "cpu", *arguments])


def test_calibrate_writes_into_the_checkpoint_and_shows_what_budgets_buy(tmp_path) -> None:
    model, data, replies = tmp_path / "model", tmp_path / "dev.conll", tmp_path / "replies.jsonl"
    model.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(DEFAULT / name, model)
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
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_checkpoint_that_is_not_there_is_an_error_of_ours(tmp_path) -> None:
    result = run("--model", str(tmp_path / "none"), "--data", str(tmp_path / "dev.conll"))

    assert isinstance(result.exception, ConfigurationError)
