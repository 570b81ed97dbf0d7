"""A whole stack on this machine: embedded or given servers, and a process for every role."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from broker.settings import Settings
from linkner import calibration
from workers.stack.embedded import embedded_postgres, embedded_redis
from workers.stack.supervisor import Role, Supervisor
from workers.store.migrating import migrate

_READY_S = 180.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many processes of each kind a stack has, and what they are told beside the settings.

    `replay` is a posts file and a replies file: with it the LLM is the replaying server, and every answer is
    marked as replayed. `environment` wins over all other variables.
    """

    llm_callers: int = 1
    batcher: bool = False
    recognise_workers: int = 1
    replicas: int = 1
    model: Path | None = None
    gateway_port: int = 0
    replay: tuple[Path, Path] | None = None
    replay_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack: where it answers, what its processes are told, and the processes."""

    gateway_url: str
    env: dict[str, str]
    supervisor: Supervisor


@contextmanager
def running_stack(
    settings: Settings,
    *,
    folder: Path,
    shape: Shape,
    report: Report = lambda _: None,
    died: Report = lambda _: None,
) -> Iterator[Stack]:
    """Start everything, yield once it is ready, and stop everything at the end.

    Servers whose URL is set are used; the others run embedded, with their data under `folder`. What ends is
    started again: `report` is told of servers, `died` of roles.

    Raises:
        UnavailableError: a role did not start; the message has the end of its log.
    """
    logs, scratch = folder / "logs", folder / "tmp"
    for needed in (logs, scratch):
        needed.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        env = _servers(settings, folder=folder, stack=stack, report=report)
        report("bringing the database schema up to date")
        migrate(env["LINKNER_POSTGRES_URL"])
        # Libraries leave caches in the temporary folder: here they go with the stack's own.
        env |= {**addresses(settings, shape), "TMPDIR": str(scratch)}
        env |= told_by(shape.model, settings) if shape.model else {}
        env |= shape.environment
        supervisor = Supervisor(folder=logs, env=env, died=died)
        stack.callback(supervisor.stop)
        supervisor.start(roles(env, shape))
        report("starting the processes; the recognition service takes longest")
        supervisor.wait_until_ready(within_s=_READY_S, on_ready=lambda name: report(f"{name} is ready"))
        yield Stack(gateway_url=_gateway_url(env), env=env, supervisor=supervisor)


def told_by(model: Path, settings: Settings) -> dict[str, str]:
    """The variables that a checkpoint's folder sets where the settings leave them open.

    Under a budget recognisers are sent to its calibration even if there is none: they refuse to start.
    """
    found = {}
    if not settings.calibration and (settings.budget is not None or (model / calibration.FILE).exists()):
        found["LINKNER_CALIBRATION"] = str(model)
    if "label_set" not in settings.model_fields_set:
        found["LINKNER_LABEL_SET"] = _label_set(model) or settings.label_set
    return found


def _label_set(model: Path) -> str:
    """The name in a checkpoint's configuration; empty where there is none, as serving the model then says."""
    try:
        return str(json.loads((model / "config.json").read_bytes())["label_set"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def roles(env: dict[str, str], shape: Shape) -> list[Role]:
    """The processes of a stack, in the order in which they start."""
    recogniser_url = env["LINKNER_RECOGNISER_URL"]
    serve = ["serve", "--host", "127.0.0.1", "--port", recogniser_url.rpartition(":")[2]]
    serve += ["--replicas", str(shape.replicas)]
    serve += ["--model", str(shape.model)] if shape.model else []
    found = [Role("recognition", tuple(serve), answers(f"{recogniser_url}/healthz"), service=True)]
    if shape.replay:
        port = int(env["LINKNER_LLM_BASE_URL"].removesuffix("/v1").rpartition(":")[2])
        found.append(replaying_llm(port, shape.replay, options=shape.replay_options))
    found += [Role("aggregator", ("worker", "ingest", "aggregate"))]
    found += _several("recogniser", ("worker", "recognise"), shape.recognise_workers)
    if env.get("LINKNER_LLM_BASE_URL") or env.get("LINKNER_LLM_ENDPOINTS"):
        found += _several("llm-caller", ("worker", "classify"), shape.llm_callers)
        found += [Role("batcher", ("batcher",))] if shape.batcher else []
    found += [
        Role("relay", ("relay",)),
        Role("gateway", ("gateway",), answers(f"{_gateway_url(env)}/readyz")),
    ]
    return found


def replaying_llm(port: int, replay: tuple[Path, Path], *, options: Sequence[str]) -> Role:
    """The server that replays replies (of a posts file and a replies file) as an LLM's endpoint."""
    posts, replies = replay
    arguments = ("simulate-llm", "--port", str(port), "--posts", str(posts), "--replies", str(replies))
    is_ready = answers(f"http://127.0.0.1:{port}/healthz")
    return Role("replayed-llm", (*arguments, *options), is_ready, service=True)


def _several(name: str, arguments: Sequence[str], count: int) -> list[Role]:
    return [Role(f"{name}-{number}", tuple(arguments)) for number in range(1, count + 1)]


def _servers(settings: Settings, *, folder: Path, stack: ExitStack, report: Report) -> dict[str, str]:
    """The URLs of PostgreSQL, Redis and the broker; starts those that are not given."""
    postgres, redis = settings.postgres_url, settings.redis_url
    if not postgres:
        report("starting PostgreSQL")
        postgres = stack.enter_context(embedded_postgres(folder / "postgres", died=report))
    if not redis:
        report("starting Redis")
        redis = stack.enter_context(embedded_redis(folder / "redis", died=report))
    return {
        "LINKNER_POSTGRES_URL": postgres,
        "LINKNER_REDIS_URL": redis,
        "LINKNER_BROKER_URL": settings.broker_url or redis,
    }


def addresses(settings: Settings, shape: Shape) -> dict[str, str]:
    """Where the stack's own HTTP services listen, free ports of the loopback interface, and where its LLM is.

    Where that is replayed, no other endpoint is left that a caller could ask, and pay.
    """
    llm = f"http://127.0.0.1:{free_port()}/v1" if shape.replay else settings.llm_base_url
    return {
        "LINKNER_RECOGNISER_URL": f"http://127.0.0.1:{free_port()}",
        "LINKNER_GATEWAY_HOST": "127.0.0.1",
        "LINKNER_GATEWAY_PORT": str(shape.gateway_port or free_port()),
        "LINKNER_GATEWAY_KEYS": settings.gateway_keys,
        "LINKNER_LLM_BASE_URL": llm,
        "LINKNER_LLM_ENDPOINTS": "" if shape.replay else settings.llm_endpoints,
        "LINKNER_LLM_REQUESTS_PER_MINUTE": str(settings.llm_requests_per_minute),
    }


def _gateway_url(env: dict[str, str]) -> str:
    return f"http://{env['LINKNER_GATEWAY_HOST']}:{env['LINKNER_GATEWAY_PORT']}"


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> Callable[[], bool]:
    """Whether a GET of the URL is answered with 200."""

    def is_answered() -> bool:
        try:
            return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    return is_answered
