"""`linkner demo` as a user runs it: its own stack, its own posts, and nothing left running."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import server_folder
from tests.support.posts import lines


def demo(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("LINKNER_")}, **env},
    )


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes whose environment or arguments name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in said and int(process.name) != os.getpid():
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.mark.timeout(300)
def test_the_demo_carries_its_posts_and_leaves_nothing(folder: Path) -> None:
    done = demo(TMPDIR=str(folder))
    counts = summary(done)
    assert counts["accepted"] == counts["final"] == 104
    assert (counts["lost"], counts["doubled"], counts["wrong_surface"], counts["rejected"]) == (0, 0, 0, 0)
    assert counts["questions"] > 20
    assert counts["replayed"] == counts["questions"]
    assert counts["decided_by"]["llm"] > 0
    assert counts["decided_by"]["local"] > 0
    assert "replayed" in done.stdout
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []


@pytest.mark.timeout(300)
def test_without_replies_documents_finish_with_local_labels(folder: Path) -> None:
    posts = folder / "posts.jsonl"
    refused = [b'{"id": "nul", "source": "test", "text": "a\\u0000b"}', b"{not json"]
    posts.write_bytes(b"\n".join([*lines(30), *refused]))
    done = demo("--input", str(posts), "--json", TMPDIR=str(folder))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    counts = summary(done)
    assert (counts["accepted"], counts["final"], counts["rejected"]) == (30, 30, 2)
    assert counts["questions"] == 0
    assert counts["decided_by"]["llm"] == 0
    assert set(counts["unanswered"]) <= {"no-llm"}
    assert counts["decided_by"]["fallback"] > 0


def test_a_missing_file_is_one_clear_line() -> None:
    done = demo("--input", "/nowhere/posts.jsonl")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "linkner: the file /nowhere/posts.jsonl cannot be read; got No such file or directory"
    )
