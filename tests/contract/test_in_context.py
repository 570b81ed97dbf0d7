"""Table 4 against live endpoints: one whose answers depend on what it is shown, and one that replays."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner

from linkner.spans import LabelledSpan, Span
from workers.cli.model import register
from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies
from workers.simulate_llm.server import ReplayServer, server

POSTS = {  # and how many words at their beginning name a person
    "Mira Okafor sings in Lagos": 2,
    "Just met Tom Reyes at the station": 0,
    "Anna Kowalska is on tour again": 2,
}


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The base URL of an endpoint in a thread of its own."""
    running = server(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            running.should_exit = True
            thread.join()


def learner(asked: list[tuple[str, str]]) -> Starlette:
    """An LLM that says `person` once it is shown an example or what a person is, and `group` before."""

    async def completions(request: Request) -> JSONResponse:
        system, user = (message["content"] for message in (await request.json())["messages"])
        asked.append((system, user))
        shown = "Answer: person" in system or "individual" in system
        message = {"role": "assistant", "content": "person" if shown else "group"}
        return JSONResponse({"model": "learner", "choices": [{"index": 0, "message": message}], "usage": {}})

    return Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])


def replayer() -> Starlette:
    """An LLM's recorded answers."""
    ends = {text: len(" ".join(text.split()[:words])) for text, words in POSTS.items()}
    named = {text: (LabelledSpan(Span(0, end), "person"),) if end else () for text, end in ends.items()}
    return ReplayServer(RecordedReplies(named), Behaviour()).app()


@pytest.fixture
def data(tmp_path: Path) -> str:
    """The posts; the first words are a person."""
    path = tmp_path / "wnut17" / "dev.conll"
    path.parent.mkdir()
    lines = []
    for text, words in POSTS.items():
        tags = ["B-person", *["I-person"] * (words - 1)] if words else []
        columns = zip(text.split(), [*tags, *["O"] * 9], strict=False)
        lines += ["\n".join(f"{word}\t{tag}" for word, tag in columns), ""]
    path.write_text("\n".join(lines))
    return str(path)


def table4(data: str, url: str, *protocols: str) -> dict[str, Any]:
    app = typer.Typer()
    register(app)
    examples = Path(data).with_name("train.conll")
    examples.write_text("Lena\tB-person\nsleeps\tO\n")
    options = [
        "--llm",
        url,
        "--llm-model",
        "any",
        "--examples",
        str(examples),
        "--threshold",
        "0",
        "--device",
        "cpu",
    ]
    options += [part for protocol in protocols or ("paper",) for part in ("--protocol", protocol)]
    result = CliRunner().invoke(app, ["experiments", "table4", "--data", data, "--json", *options])
    assert result.exception is None, result.exception
    return json.loads(result.stdout.splitlines()[-1])


def linked(value: dict[str, Any]) -> dict[tuple[str, str], float]:
    """F1 by (few-shot, label description)."""
    rows = [row for row in value["rows"] if row["setting"] == "linked"]
    return {(row["few_shot"], row["label_description"]): row["f1"] for row in rows}


def test_what_an_llm_is_shown_changes_its_answers(data: str) -> None:
    asked: list[tuple[str, str]] = []
    with serving(learner(asked)) as url:
        value = table4(data, url)

    f1 = linked(value)
    assert f1["no", "no"] == 0
    assert f1["no", "yes"] == f1["yes", "no"] == f1["yes", "yes"] > 0
    assert len({system for system, _ in asked}) == 4
    assert (value["llm"], value["replayed"], value["variants"]) == ("any", False, True)
    assert not any("replay" in note for note in value["notes"])


def test_an_endpoint_that_replays_is_found_out(data: str) -> None:
    with serving(replayer()) as url:
        value = table4(data, url)

    assert len(set(linked(value).values())) == 1
    assert value["replayed"] is True
    assert "the rows say nothing about these" in value["notes"][0]


def test_protocols_pay_for_the_same_question_once(data: str) -> None:
    asked: list[tuple[str, str]] = []
    with serving(learner(asked)) as url:
        table4(data, url, "paper", "deployed")

    assert len(asked) == len(set(asked))
