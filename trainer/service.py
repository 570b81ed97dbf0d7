"""The recognition service: replicas of the local model behind HTTP, on Ray Serve.

`POST /recognise` takes a chunk of texts (see linkner.chunks); `GET /healthz` names the model. While every
replica is busy a bounded number of requests waits; any more get 503 with Retry-After, health checks too.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ray import serve
from ray.serve.config import BackpressureConfig, HTTPOptions, ProxyLocation
from ray.serve.schema import LoggingConfig
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from linkner.chunks import MAX_REQUEST_BYTES, read_request, write_response
from linkner.errors import ConfigurationError, InputError
from linkner.spans import Recognition
from trainer.ray_local import local_ray

if TYPE_CHECKING:
    from linkner.recognition.uncertainty import Method

APPLICATION = "recognition"
DEPLOYMENT = "recogniser"

ONGOING = 2
"""Requests at once in a replica: one is recognised while the next is received and parsed."""

RETRY_AFTER_S = 1.0

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Recognises(Protocol):
    """What the service needs of a recogniser; `linkner.recognition.recogniser.Recogniser` has it."""

    @property
    def name(self) -> str: ...

    @property
    def label_set(self) -> str: ...

    def recognise(self, texts: Sequence[str]) -> list[Recognition]: ...


class Replica:
    """One process with one recogniser, which handles one chunk at a time."""

    def __init__(self, load: Callable[[], Recognises], *, replicas: int) -> None:
        """`load` makes the recogniser; the first recognition, which is slow, is done before any request."""
        self._recogniser = load()
        self._recogniser.recognise(["Warm-up"])
        self._replicas = replicas
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recognise")

    async def __call__(self, request: Request) -> Response:
        """The answer to one HTTP request."""
        match request.method, request.url.path:
            case "POST", "/recognise":
                return await self._recognise(request)
            case "GET", "/healthz":
                return self._health()
        return JSONResponse({"error": "no such resource"}, status_code=404)

    async def _recognise(self, request: Request) -> Response:
        try:
            texts = read_request(await _body(request))
        except InputError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(self._worker, self._recognise_chunk, texts)
        return Response(content, media_type="application/json")

    def _recognise_chunk(self, texts: list[str]) -> bytes:
        return write_response(self._recogniser.name, self._recogniser.recognise(texts))

    def _health(self) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "model": self._recogniser.name,
                "label_set": self._recogniser.label_set,
                "replicas": self._replicas,
            }
        )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_REQUEST_BYTES:
            raise InputError("the request is too large", expected=f"at most {MAX_REQUEST_BYTES} bytes")
    return bytes(body)


def checkpoint_loader(
    checkpoint: Path | None, *, replicas: int, uncertainty: Method | None = None
) -> Callable[[], Recognises]:
    """A function that loads a checkpoint (None: LinkNER's own), with a replica's share of the cores.

    `uncertainty` says how u is estimated, where not as the checkpoint does.
    """
    threads = max(1, len(os.sched_getaffinity(0)) // replicas)

    def load() -> Recognises:
        import torch

        from linkner.recognition.recogniser import Recogniser

        torch.set_num_threads(threads)
        return Recogniser.from_pretrained(checkpoint, uncertainty=uncertainty)

    return load


@contextmanager
def serving(
    load: Callable[[], Recognises], *, host: str, port: int, replicas: int, max_queued: int
) -> Iterator[str]:
    """The service for the time of the `with` block, on a private local Ray; gives its base URL.

    Args:
        load: makes a recogniser; it is called in each replica's process.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        replicas: processes with a recogniser.
        max_queued: requests that wait while all replicas are busy.

    Raises:
        ConfigurationError: the address is taken, or the replicas do not start.
    """
    port = _free_port(host, port)
    quiet = LoggingConfig(log_level="ERROR", enable_access_log=False)
    deployment = serve.deployment(Replica).options(
        name=DEPLOYMENT,
        num_replicas=replicas,
        max_ongoing_requests=ONGOING,
        max_queued_requests=max_queued,
        backpressure_config=BackpressureConfig(retry_after_s=RETRY_AFTER_S),
        max_constructor_retry_count=1,
        ray_actor_options={"num_cpus": 0},  # the threads are shared out here, not by Ray's scheduler
        logging_config=quiet,
    )
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    with local_ray():
        serve.start(
            proxy_location=ProxyLocation.HeadOnly,
            http_options=HTTPOptions(host=host, port=port),
            logging_config=quiet,
        )
        _deploy(deployment.bind(load, replicas=replicas), logging_config=quiet)
        yield f"http://{host}:{port}"


def _deploy(application: serve.Application, *, logging_config: LoggingConfig) -> None:
    """Start the application and wait for all of its replicas."""
    try:
        serve.run(application, name=APPLICATION, logging_config=logging_config)
    except RuntimeError as error:
        message = serve.status().applications[APPLICATION].deployments[DEPLOYMENT].message
        raise ConfigurationError(
            "the recognition service did not start", got=message.rstrip().rpartition("\n")[2]
        ) from error


def run_service(
    load: Callable[[], Recognises],
    *,
    host: str,
    port: int,
    replicas: int,
    max_queued: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; nothing of Ray is left running afterwards.

    Args:
        ready: is called with the base URL once all replicas answer.
        load, host, port, replicas, max_queued: see `serving`.

    Raises:
        ConfigurationError: as `serving`.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # while starting: unwind, so that Ray is stopped
    with (
        _adopted_orphans(),
        serving(load, host=host, port=port, replicas=replicas, max_queued=max_queued) as url,
    ):
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        ready(url)
        stop.wait()


@contextmanager
def _adopted_orphans() -> Iterator[None]:
    """Become the parent of descendants whose own parent dies (Linux), and kill those that the block leaves.

    Ray forgets its processes where it is stopped while it starts, and its agents look for a raylet that is
    gone for another minute.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        while children := _children():
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in children:  # once one is gone, its own children are ours
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def _children() -> list[int]:
    """Process ids of this process's children, ended but not yet waited for included (Linux)."""
    files = Path("/proc/self/task").glob("*/children")
    return [int(pid) for file in files for pid in file.read_text().split()]


def _free_port(host: str, port: int) -> int:
    """The port, or a free one for 0. Ray Serve would take long to say that an address is in use."""
    try:
        with socket.create_server((host, port)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}", got=str(error)) from error
