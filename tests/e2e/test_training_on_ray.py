"""Training as `linkner train` runs it: worker processes on a private local Ray."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psutil
import pytest
import ray

from linkner.errors import CheckpointError, ConfigurationError
from linkner.recognition.checkpoint import read_config
from tests.fakes.tiny_encoder import write_tiny_encoder
from tests.unit.trainer.tiny import recipe, sentences, tiny_config
from trainer.launch import train_on_ray
from trainer.ray_local import local_ray
from trainer.recipe import Progress
from trainer.training import train_model


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny"))


def test_training_on_ray_tells_progress_and_writes_the_model(tiny_encoder, tmp_path) -> None:
    told: list[Progress] = []
    config = tiny_config(tiny_encoder)
    best = train_on_ray(
        config=config,
        recipe=recipe(epochs=2),
        train=sentences(120),
        dev=sentences(15),
        output=tmp_path,
        workers=2,
        report=told.append,
    )
    assert best == max(one.dev.micro.f1 for one in told if one.dev is not None)
    assert told[-1].step == 2 * (15 // 2)
    assert read_config(tmp_path) == config


def test_a_killed_worker_is_started_again_and_the_result_is_that_of_an_undisturbed_run(
    tiny_encoder, tmp_path
) -> None:
    killed: list[int] = []
    ended: list[int] = []

    def kill_once(progress: Progress) -> None:
        if progress.dev is not None:
            ended.append(progress.epoch)
        if progress.epoch == 2 and not killed:
            worker = next(
                child
                for child in psutil.Process().children(recursive=True)
                if "RayTrainWorker" in "".join(child.cmdline()[:1])
            )
            killed.append(worker.pid)
            worker.kill()

    job = {
        "config": tiny_config(tiny_encoder),
        "recipe": recipe(epochs=6),
        "train": sentences(240),
        "dev": sentences(15),
    }
    whole = train_model(**job, output=tmp_path / "whole", report=lambda progress: None)
    disturbed = train_on_ray(**job, output=tmp_path / "disturbed", workers=1, report=kill_once)

    assert killed
    assert ended == sorted(set(ended))  # no epoch twice; one that was done when the worker died may be untold
    assert disturbed == whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "disturbed")]
    assert weights[0] == weights[1]


def test_our_own_errors_come_out_of_the_workers_as_they_are(tiny_encoder, tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"diverged|not finite"):
        train_on_ray(
            config=tiny_config(tiny_encoder),
            recipe=recipe(learning_rate=1e30, head_learning_rate=1e30, warmup=0.0),
            train=sentences(120),
            dev=sentences(15),
            output=tmp_path,
            workers=1,
            report=lambda progress: None,
        )
    assert not ray.is_initialized()


def test_more_workers_than_devices_are_refused_before_ray_starts(tiny_encoder, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="more workers"):
        train_on_ray(
            config=tiny_config(tiny_encoder),
            recipe=recipe(),
            train=sentences(1),
            dev=sentences(1),
            output=tmp_path,
            workers=100_000,
            report=lambda progress: None,
        )


def test_a_local_ray_leaves_no_process_and_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[str] = []
    make = tempfile.mkdtemp

    def recorded(**options: str) -> str:
        folders.append(make(**options))
        return folders[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", recorded)
    before = set(psutil.Process().children(recursive=True))
    with local_ray(num_cpus=1):
        started = [child for child in psutil.Process().children(recursive=True) if child not in before]
        assert any("raylet" in process.name() for process in started)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    assert folders
    assert not any(Path(folder).exists() for folder in folders)


def test_ray_is_private_and_reports_nothing() -> None:
    # Read by Ray when it is imported, which `trainer` makes sure comes after it has set them.
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) >= 32
