"""Servers and roles for a benchmark that needs no whole stack."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from workers.stack.embedded import embedded_postgres, embedded_redis
from workers.stack.supervisor import Role, Supervisor
from workers.store.migrating import migrate


@contextmanager
def empty_servers() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder, and the settings that lead to an empty PostgreSQL with its schema and to a Redis, in it."""
    with tempfile.TemporaryDirectory(prefix="linkner-") as name:
        folder = Path(name)
        with embedded_postgres(folder / "pg") as postgres, embedded_redis(folder / "redis") as redis:
            migrate(postgres)
            yield folder, {"LINKNER_POSTGRES_URL": postgres, "LINKNER_REDIS_URL": redis}


@contextmanager
def some_roles(
    wanted: Sequence[Role], env: Mapping[str, str], *, folder: Path, within_s: float = 120.0
) -> Iterator[Supervisor]:
    """These roles, ready, with their logs in the folder."""
    logs = folder / "logs"
    logs.mkdir()
    roles = Supervisor(folder=logs, env=dict(env))
    try:
        roles.start(wanted)
        roles.wait_until_ready(within_s=within_s)
        yield roles
    finally:
        roles.stop()
