"""Posts a second through the recogniser in one process.

python -m tests.benchmarks.recogniser_throughput posts.jsonl --chunk 64
GOMP_SPINCOUNT=300000 python -m tests.benchmarks.recogniser_throughput posts.jsonl --chunk 12 --busy 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trainer  # noqa: F401  (the environment of the recognition service)
from linkner.recognition.recogniser import Recogniser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("posts", type=Path, help="JSON lines with text")
    parser.add_argument("--chunk", type=int, default=256, help="texts in one call")
    parser.add_argument("--fp32", action="store_true", help="no bfloat16")
    parser.add_argument("--busy", type=int, default=0, help="processes beside it that never rest")
    arguments = parser.parse_args()
    texts = [json.loads(line)["text"] for line in arguments.posts.read_text(encoding="utf-8").splitlines()]
    recogniser = Recogniser.from_pretrained(half=False if arguments.fp32 else None)
    recogniser.recognise(texts[: arguments.chunk])
    entities = plausible = 0
    with _busy(arguments.busy):
        begin, busy = time.perf_counter(), time.process_time()
        for first in range(0, len(texts), arguments.chunk):
            for found in recogniser.recognise(texts[first : first + arguments.chunk]):
                entities += len(found.entities)
                plausible += len(found.plausible)
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    print(
        f"{len(texts)} posts in {seconds:.1f} s: {len(texts) / seconds:.0f} posts/s"
        f" ({len(texts) / busy:.0f} for each second of CPU); {entities} entities, {plausible} plausible spans"
    )


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that compute until the block ends."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
