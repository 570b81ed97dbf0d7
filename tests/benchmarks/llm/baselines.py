"""What others do about a provider's limits: Celery's rate_limit on each worker, and backing off on 429."""

from __future__ import annotations

import json
import multiprocessing
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from celery import Celery

from linkner.classification import Prompt
from linkner.errors import ServiceError, UnavailableError
from tests.benchmarks.llm.bench_stack import asked_about, question
from workers.llm_client import OpenAiLlm

PROCESSES, SLOTS = 4, 32
_LONGEST_BACKOFF_S = 60.0


def client_of(url: str) -> OpenAiLlm:
    """A client without any limits."""
    return OpenAiLlm(base_url=url, api_key="", model="simulated", deadline_s=30.0, connections=SLOTS)


def prompts_about(posts: Sequence[str]) -> list[Prompt]:
    """The questions that our callers would ask about these posts."""
    spans = [(post, asked_about(post)) for post in posts]
    return [question(post, span).prompt for post, span in spans if span is not None]


def back_off(url: str, posts: Sequence[str], *, seconds: float) -> None:
    """4 processes of 32 threads ask one question after another, and back off on 429.

    As tenacity's `wait_random_exponential` does it: a random time up to 1, 2, 4 … 60 s, whatever the
    endpoint says about when to come back.
    """
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_backing_off, args=(url, list(posts[number::PROCESSES]), seconds))
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _backing_off(url: str, posts: list[str], seconds: float) -> None:
    client, prompts = client_of(url), iter(prompts_about(posts))
    end, lock = time.monotonic() + seconds, threading.Lock()

    def run() -> None:
        while time.monotonic() < end:
            with lock:
                prompt = next(prompts, None)
            if prompt is None:
                return
            attempt = 0
            while time.monotonic() < end:
                try:
                    client.ask(prompt)
                    break
                except UnavailableError:
                    longest = min(2.0**attempt, _LONGEST_BACKOFF_S)
                    time.sleep(min(random.uniform(0, longest), max(0.0, end - time.monotonic())))
                    attempt += 1

    threads = [threading.Thread(target=run) for _ in range(SLOTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()


def celery_rate_limit(url: str, posts: Sequence[str], *, redis: str, seconds: float, folder: Path) -> None:
    """4 Celery workers of 32 threads, each with a quarter of the limit as its task's `rate_limit`.

    A question that is refused is put back at the queue's end, as a task would retry.
    """
    app = Celery("baseline", broker=redis)
    (folder / "posts.json").write_text(json.dumps(list(posts)))
    for number in range(len(posts)):
        app.send_task("ask", args=[number])
    command = [sys.executable, "-m", "tests.benchmarks.llm.celery_baseline", url, redis, str(folder)]
    workers = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(PROCESSES)
    ]
    try:
        _wait_for_a_call(folder / "ledger.jsonl", within_s=120.0)
        time.sleep(seconds)
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.wait()


def _wait_for_a_call(ledger: Path, *, within_s: float) -> None:
    give_up = time.monotonic() + within_s
    while not ledger.stat().st_size and time.monotonic() < give_up:
        time.sleep(0.2)


def ask_quietly(client: OpenAiLlm, prompt: Prompt) -> bool:
    """Whether it was answered."""
    with suppress(ServiceError):
        client.ask(prompt)
        return True
    return False
