"""What `linkner submit`, `results` and `status` refuse, and tell, without a gateway."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linkner.errors import ConfigurationError, InputError, UnavailableError
from workers.api_client import GatewayClient, Submitted
from workers.cli import app


def failed(*arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, list(arguments)).exception


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert str(failed("submit", str(tmp_path))) == f"the file {tmp_path} cannot be read; got Is a directory"


@pytest.mark.parametrize("url", ["foo", "localhost:8080", "http://", "ftp://host", "http://[::1"])
def test_a_url_that_cannot_be_used_is_said_at_once(tmp_path: Path, url: str) -> None:
    (tmp_path / "posts.jsonl").write_bytes(b"{}\n")
    error = failed("submit", str(tmp_path / "posts.jsonl"), "--url", url)
    assert isinstance(error, ConfigurationError)
    assert "URL cannot be used" in str(error)


@pytest.mark.parametrize("option", ["--source", "--id"])
def test_source_and_id_go_together(option: str) -> None:
    error = failed("results", option, "x", "--url", "http://127.0.0.1:1")
    assert isinstance(error, InputError)
    assert "--source and --id go together" in str(error)


def submitting(
    monkeypatch: pytest.MonkeyPatch, answer: Submitted, *options: str, given: str
) -> tuple[list[bytes], Result]:
    """The lines that were submitted to a gateway that answers so, and how the command ended."""
    seen: list[bytes] = []

    def submit(client: GatewayClient, lines: Iterable[bytes], *, told: Callable[[int], None]) -> Submitted:
        seen.extend(lines)
        return answer

    monkeypatch.setattr(GatewayClient, "submit", submit)
    command = ["submit", "-", "--url", "http://127.0.0.1:1", *options]
    return seen, CliRunner().invoke(app, command, input=given)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Submitted(accepted=1, duplicates=1), 0),
        (Submitted(accepted=1, conflicts=1, refusals=("line 2: another text is there",)), 1),
        (Submitted(accepted=1, rejected=1, refusals=("line 2: text is empty",)), 1),
    ],
)
def test_submit_tells_what_was_not_taken_and_its_exit_code_says_so(
    monkeypatch: pytest.MonkeyPatch, answer: Submitted, code: int
) -> None:
    _, shown = submitting(monkeypatch, answer, given="{}\n")
    assert shown.exit_code == code
    assert f"conflicts {answer.conflicts}  rejected {answer.rejected}" in shown.stdout
    assert all(f"refused {refusal}" in shown.stderr for refusal in answer.refusals)
    _, shown = submitting(monkeypatch, answer, "--json", given="{}\n")
    assert shown.exit_code == code
    assert json.loads(shown.stdout)["conflicts"] == answer.conflicts


def test_a_limit_counts_no_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _ = submitting(monkeypatch, Submitted(), "--limit", "2", given="\n1\n\n2\n3\n")
    assert [line.strip() for line in seen if line.strip()] == [b"1", b"2"]


def test_status_soon_says_that_no_gateway_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()
    assert isinstance(failed("status", "--url", f"http://127.0.0.1:{port}"), UnavailableError)
    assert time.monotonic() - started < 5
