"""Training on Ray Train: one process for each worker, gradients shared, progress told to the caller."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch
from ray.util.queue import Queue

from linkner.conll import Sentence
from linkner.errors import ConfigurationError, LinknerError
from linkner.recognition.checkpoint import ModelConfig
from trainer import resumption
from trainer.ray_local import local_ray
from trainer.recipe import Progress, Recipe
from trainer.training import Place, train_model

MAX_FAILURES = 3
"""How often dead workers are started again in one run."""


def train_on_ray(
    *,
    config: ModelConfig,
    recipe: Recipe,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    output: Path,
    workers: int,
    report: Callable[[Progress], None],
    start: Path | None = None,
    resume: bool = False,
) -> float:
    """Train on this machine, in `workers` processes with a GPU each where there are GPUs, else sharing CPUs.

    Where a worker dies, all of them start again after the last whole epoch, MAX_FAILURES times at the most.
    `resume` does the same with a run that ended before its time.

    `report` is called in a thread of this process. Returns and raises what `train_model` does, and raises
    ConfigurationError where there are fewer CPUs or GPUs than workers.
    """
    if not resume:
        resumption.discard(output)
    on_gpu = recipe.device != "cpu" and torch.cuda.is_available()
    devices = torch.cuda.device_count() if on_gpu else os.cpu_count() or 1
    if workers > devices:
        raise ConfigurationError("more workers than devices", expected=f"at most {devices}", got=str(workers))
    share = {"GPU": 1} if on_gpu else {"CPU": devices // workers}
    with (
        local_ray(num_cpus=os.cpu_count(), num_gpus=devices if on_gpu else 0),
        tempfile.TemporaryDirectory(prefix="linkner-") as folder,
        _Reports(report) as reports,
    ):
        trainer = ray.train.torch.TorchTrainer(
            _work,
            train_loop_config={
                "config": config,
                "recipe": replace(recipe, device="cuda" if on_gpu else "cpu"),
                "train": train,
                "dev": dev,
                "output": output.absolute(),
                "start": start.absolute() if start is not None else None,
                "queue": reports.queue,
                "failed": Path(folder) / "failed",
            },
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers, use_gpu=on_gpu, resources_per_worker=share
            ),
            run_config=ray.train.RunConfig(
                storage_path=folder,
                logging_config=ray.train.LoggingConfig(log_level="ERROR"),
                failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES),
            ),
        )
        try:
            result = trainer.fit().return_value
        except ray.train.TrainingFailedError as failure:
            raise reports.error or failure from failure
        if isinstance(result, LinknerError):
            raise result
        return float(result)


def _work(job: dict[str, Any]) -> float | LinknerError:
    """One worker's part; runs in its own process."""
    context = ray.train.get_context()
    queue: Queue = job.pop("queue")
    failed: Path = job.pop("failed")
    if failed.exists():  # Ray starts workers again whatever they failed of, and this they would fail of again
        raise RuntimeError("another worker has failed of an error of ours")
    place = Place(
        rank=context.get_world_rank(),
        workers=context.get_world_size(),
        wrap=lambda model: ray.train.torch.prepare_model(model, move_to_device=False),
    )
    try:
        return train_model(**job, report=queue.put, resume=True, place=place)
    except LinknerError as error:
        if place.workers == 1:
            return error  # to fail of it would have Ray start the worker again, three times
        queue.put(error)
        failed.touch()
        raise


class _Reports:
    """A queue that workers put their progress into, handed on by a thread until the block ends.

    `error` is the last of our own errors that made a worker fail.
    """

    def __init__(self, report: Callable[[Progress], None]) -> None:
        self._report = report
        self.error: LinknerError | None = None

    def __enter__(self) -> _Reports:
        self.queue = Queue(actor_options={"num_cpus": 0})
        self._thread = threading.Thread(target=self._hand_on, name="training-progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.queue.put(None)
        self._thread.join()

    def _hand_on(self) -> None:
        while (item := self.queue.get()) is not None:
            if isinstance(item, LinknerError):
                self.error = item
            else:
                self._report(item)
