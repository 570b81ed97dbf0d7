"""How many questions of a stream are distinct: what the answer cache can save at most.

Counts questions about one span each and about all candidates of a post, by the post's exact text and as
normalised.

python -m tests.benchmarks.distinct_questions posts.jsonl.gz --limit 10000
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from broker.settings import Settings
from linkner.json_lines import read_lines
from linkner.recognition.recogniser import Recogniser
from linkner.repeats import normalise, question_key
from linkner.spans import Span
from workers.bootstrap import detectors

CHUNK = 500
Question = tuple[str, tuple[Span, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("posts", type=Path, help="JSON lines with text; may end in .gz")
    parser.add_argument("--limit", type=int, default=10_000, help="posts from the beginning")
    arguments = parser.parse_args()
    packed = list(questions(arguments.posts, limit=arguments.limit))
    forms = {
        "per-span": [(text, (span,)) for text, spans in packed for span in spans],
        "packed": packed,
    }
    counts = {form: counted(asked) for form, asked in forms.items()}
    for form, count in counts.items():
        saved = 1 - count["distinct"] / count["questions"]
        print(f"{form}: {count['questions']:,} questions, {count['distinct']:,} distinct ({saved:.1%} saved)")
    print(json.dumps({"posts": arguments.limit, **counts}))


def questions(posts: Path, *, limit: int) -> Iterator[Question]:
    """The candidates of each post that has some, by the default detector."""
    recogniser = Recogniser.from_pretrained()
    detector = detectors(Settings()).of(recogniser.name)
    texts = [json.loads(line)["text"] for line in read_lines(posts, limit=limit)]
    for first in range(0, len(texts), CHUNK):
        print(f"\r{first:,} posts", end="", file=sys.stderr)
        chunk = texts[first : first + CHUNK]
        for text, found in zip(chunk, recogniser.recognise(chunk), strict=True):
            if candidates := detector.candidates(found):
                yield text, tuple(scored.span for scored in candidates)
    print(file=sys.stderr)


def counted(asked: Sequence[Question]) -> dict[str, int]:
    keys = {
        question_key(model="", prompt_version="", context=normalise(text, spans)) for text, spans in asked
    }
    exact = {(text, tuple(sorted(spans))) for text, spans in asked}
    return {"questions": len(asked), "distinct_by_exact_text": len(exact), "distinct": len(keys)}


if __name__ == "__main__":
    main()
