"""The judge that asks a live endpoint is the one that replays, where the endpoint has the same replies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkner.detection import Detector
from linkner.labels import label_set
from linkner.replies import RecordedReply
from tests.unit.trainer.evaluation.examples import recognised
from trainer.evaluation.judges import ReplayJudge
from trainer.evaluation.linked import link_all
from workers.cli.model.judging import JudgeOptions
from workers.cli.progress import Steps

ROOT = Path(__file__).parents[2]
WNUT = label_set("wnut17")
DATA = recognised()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An endpoint that replays the gold entities of DATA, which has each text once."""
    folder = tmp_path_factory.mktemp("endpoint")
    posts, replies = folder / "posts.jsonl", folder / "replies.jsonl"
    posts.write_text(
        "\n".join(json.dumps({"id": str(at), "text": one.text}) for at, one in enumerate(DATA.sentences))
    )
    replies.write_text(
        "\n".join(
            json.dumps(
                {
                    "id": str(at),
                    "entities": [
                        {
                            "start": one.to_text(entity.span).start,
                            "end": one.to_text(entity.span).end,
                            "text": one.surface(entity.span),
                            "type": entity.label,
                        }
                        for entity in one.entities
                    ],
                }
            )
            for at, one in enumerate(DATA.sentences)
        )
    )
    command = [
        sys.executable,
        "-m",
        "workers.cli",
        "simulate-llm",
        "--posts",
        str(posts),
        "--replies",
        str(replies),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["base_url"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)


def test_a_live_endpoint_and_a_replay_of_the_same_replies_link_alike(url: str) -> None:
    detector = Detector(threshold=0.3, epsilon=0.3, max_candidates=8)
    options = JudgeOptions(replies=(), llm=url, llm_model="any-name", connections=4, deadline_s=30.0)
    with options.judges({"data": DATA.sentences}, WNUT, Steps(quiet=True)) as (judge,):
        assert judge is not None
        live = link_all(DATA, detector=detector, judge=judge)
    replayed = ReplayJudge([RecordedReply(one.entities, {}) for one in DATA.sentences], WNUT)
    assert live == link_all(DATA, detector=detector, judge=replayed)
    assert live.spent.replayed == live.spent.questions == 3
