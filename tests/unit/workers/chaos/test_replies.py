"""Every post of a run has a reply: the recorded one, or one that is simulated and counted as such."""

from __future__ import annotations

import json
from pathlib import Path

from linkner.spans import Span
from workers.chaos.replies import write_replies
from workers.simulate_llm.recorded import RecordedReplies, SpanQuestion

POSTS = ["Anna in Oslo", "see you in Rome, Ben", "Anna in Oslo", "nothing"]
RECORDED = {"id": "0", "entities": [{"start": 8, "end": 12, "text": "Oslo", "type": "location"}]}
ELSEWHERE = {"id": "elsewhere", "entities": []}


def test_posts_without_a_recorded_reply_get_a_simulated_one(tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(n), "source": "x", "text": text}).encode() for n, text in enumerate(POSTS)]
    recorded = [json.dumps(reply).encode() for reply in (RECORDED, ELSEWHERE)]
    written = write_replies(lines, recorded, label="person", folder=tmp_path)
    assert (written.recorded, written.simulated) == (2, 2)  # the third post has the text of the first
    replies = RecordedReplies.load(posts=written.posts, replies=written.replies)
    assert replies.answer(SpanQuestion(text=POSTS[0], surface="Oslo")) == "location"
    assert replies.answer(SpanQuestion(text=POSTS[0], surface="Anna")) == "Non-entity"
    assert replies.answer(SpanQuestion(text=POSTS[1], surface="Ben")) == "person"
    assert replies.answer(SpanQuestion(text=POSTS[3], surface="nothing")) == "Non-entity"
    assert [one.span for one in replies.entities[POSTS[1]]] == [Span(17, 20)]  # "Rome," is no whole word
