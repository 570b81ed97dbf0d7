"""The demo's posts as lines, as many as a test wants."""

from __future__ import annotations

import json
from itertools import count, islice
from pathlib import Path

import workers.demo

POSTS = Path(workers.demo.__file__).parent / "posts.jsonl"
REPLIES = Path(workers.demo.__file__).parent / "replies.jsonl"


def lines(number: int) -> list[bytes]:
    """That many posts with distinct ids; the texts repeat where there are more than the demo has."""
    posts = [json.loads(line) for line in POSTS.read_text().splitlines()]
    endless = ({**post, "external_id": f"{post['external_id']}-{turn}"} for turn in count() for post in posts)
    return [json.dumps(post).encode() for post in islice(endless, number)]
