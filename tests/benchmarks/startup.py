"""How long a worker takes from its start until it takes messages.

Each start is a process of its own on an embedded PostgreSQL and Redis; the first, which reads everything from
the disk, is left out.

python -m tests.benchmarks.startup
python -m tests.benchmarks.startup --starts 10 --role classify --role aggregate
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from tests.support.folders import server_folder
from workers.stack.embedded import embedded_postgres, embedded_redis
from workers.store.migrating import migrate

ROLES = ("ingest", "recognise", "classify", "aggregate")
_READY = " ready."
"""What Celery writes when it takes messages."""


def until_ready(role: str, environment: Mapping[str, str]) -> float:
    """Seconds until a worker of that role takes messages; it is stopped then."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "workers.cli", "worker", role]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.rstrip().endswith(_READY):
                return time.perf_counter() - began
        raise RuntimeError(f"worker {role} ended with {process.wait()} before it was ready")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def main() -> None:
    """Start each role some times, and print a line for each and one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--role", action="append", choices=ROLES, help="only this one; may be repeated")
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    with server_folder() as folder, embedded_postgres(folder / "pg") as postgres:
        migrate(postgres)
        (folder / "redis").mkdir()
        with embedded_redis(folder / "redis") as redis:
            environment = {
                **os.environ,
                "LINKNER_POSTGRES_URL": postgres,
                "LINKNER_REDIS_URL": redis,
                "LINKNER_LLM_BASE_URL": "http://127.0.0.1:9/v1",
            }
            found = {
                role: _figures([until_ready(role, environment) for _ in range(arguments.starts + 1)][1:])
                for role in arguments.role or ROLES
            }
    for role, figures in found.items():
        print(f"{role:14} median {figures['median_s']:.2f} s, worst {figures['worst_s']:.2f} s")
    print(json.dumps(found))


def _figures(seconds: Sequence[float]) -> dict[str, float]:
    return {"median_s": round(statistics.median(seconds), 3), "worst_s": round(max(seconds), 3)}


if __name__ == "__main__":
    main()
