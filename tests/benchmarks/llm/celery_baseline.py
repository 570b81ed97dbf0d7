"""One worker of the baseline with Celery's own rate limit: URL of the endpoint, of Redis, and a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from celery import Celery

from tests.benchmarks.llm.baselines import PROCESSES, SLOTS, ask_quietly, client_of, prompts_about


def main(url: str, redis: str, folder: str) -> None:
    """Take tasks until it is killed."""
    limit = int((Path(folder) / "limit").read_text())
    prompts = prompts_about(json.loads((Path(folder) / "posts.json").read_text()))
    client, app = client_of(url), Celery("baseline", broker=redis)

    def ask(number: int) -> None:
        if not ask_quietly(client, prompts[number]):
            app.send_task("ask", args=[number])

    app.task(ask, name="ask", rate_limit=f"{limit // PROCESSES}/m", ignore_result=True)
    app.conf.worker_prefetch_multiplier = 4
    app.conf.task_ignore_result = True
    app.Worker(pool="threads", concurrency=SLOTS, loglevel="ERROR", without_gossip=True, quiet=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
