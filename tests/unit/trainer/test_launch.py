"""What a training worker makes of our own errors."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
import ray.train

from linkner.errors import CheckpointError, LinknerError
from trainer import launch


@pytest.fixture
def error(monkeypatch: pytest.MonkeyPatch) -> LinknerError:
    error = CheckpointError("training diverged")

    def fail(**_: object) -> float:
        raise error

    monkeypatch.setattr(launch, "train_model", fail)
    return error


def of_workers(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(get_world_rank=lambda: 0, get_world_size=lambda: count)
    monkeypatch.setattr(ray.train, "get_context", lambda: context)


def job(folder: Path) -> dict[str, Any]:
    return {"queue": SimpleQueue(), "failed": folder / "failed"}


def test_a_lone_worker_hands_an_error_over_instead_of_failing(tmp_path, monkeypatch, error) -> None:
    of_workers(1, monkeypatch)
    assert launch._work(job(tmp_path)) is error


def test_one_of_several_fails_and_keeps_the_others_from_another_start(tmp_path, monkeypatch, error) -> None:
    of_workers(2, monkeypatch)
    given = job(tmp_path)
    queue = given["queue"]
    with pytest.raises(CheckpointError, match="diverged"):
        launch._work(given)
    assert queue.get_nowait() is error
    with pytest.raises(RuntimeError, match="another worker"):
        launch._work({"queue": queue, "failed": tmp_path / "failed"})
