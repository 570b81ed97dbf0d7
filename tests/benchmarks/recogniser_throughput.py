"""Posts a second through the recogniser in one process.

python -m tests.benchmarks.recogniser_throughput posts.jsonl --chunk 64
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from linkner.recognition.recogniser import Recogniser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("posts", type=Path, help="JSON lines with text")
    parser.add_argument("--chunk", type=int, default=256, help="texts in one call")
    parser.add_argument("--fp32", action="store_true", help="no bfloat16")
    arguments = parser.parse_args()
    texts = [json.loads(line)["text"] for line in arguments.posts.read_text(encoding="utf-8").splitlines()]
    recogniser = Recogniser.from_pretrained(half=False if arguments.fp32 else None)
    recogniser.recognise(texts[: arguments.chunk])
    entities = plausible = 0
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


if __name__ == "__main__":
    main()
