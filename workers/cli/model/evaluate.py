"""`linkner evaluate`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkner.detection import Detector
from linkner.errors import ConfigurationError
from linkner.labels import label_set
from workers.cli.model.options import Device, Model, UncertaintyOverride
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from linkner.conll import Sentence
    from linkner.labels import LabelSet
    from linkner.recognition.recogniser import Recogniser
    from trainer.evaluation.linked import Judge
    from trainer.evaluation.local import Recognised
    from trainer.evaluation.report import Report


class ProtocolOption(StrEnum):
    """Names of the protocols."""

    DEPLOYED = "deployed"
    PAPER = "paper"


def evaluate(
    data: Annotated[
        list[Path] | None, typer.Option(help="CoNLL file with gold tags; more than one may follow.")
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", show_default=False)] = None,
    model: Model = None,
    protocol: Annotated[
        ProtocolOption, typer.Option(help="How candidates are found; `paper` uses gold boundaries.")
    ] = ProtocolOption.DEPLOYED,
    replies: Annotated[
        Path | None, typer.Option(help="Link to an LLM that is replayed from these recorded replies.")
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="Link to this OpenAI-compatible endpoint (key: OPENAI_API_KEY).")
    ] = None,
    llm_model: Annotated[str, typer.Option(help="Model name sent to the endpoint.")] = "gpt-4o-mini",
    tau: Annotated[float, typer.Option(help="τ: predicted entities with a larger u are asked about.")] = 0.15,
    epsilon: Annotated[
        float, typer.Option(help="ε: entity probability above which O spans are asked about.")
    ] = 0.3,
    max_questions: Annotated[int, typer.Option(help="Most candidates of one post.")] = 8,
    spans_per_post: Annotated[
        float, typer.Option(min=0, help="Spans a post at which the recall of candidates is given.")
    ] = 1.0,
    seen: Annotated[
        Path | None, typer.Option(help="Training file (CoNLL): entities not in it count as unseen.")
    ] = None,
    uncertainty: UncertaintyOverride = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a reliability plot (PNG) of the first file.")
    ] = None,
    device: Device = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Measure a model on labelled files, by itself or linked to an LLM.

    An entity counts where its span and its type are both right (as seqeval counts). Several files make the
    columns of one table. Ratios in the JSON are in [0, 1]; the fields of the first file stand at the top, and
    `files` has one object for each. What an LLM was replayed for says `replay`.

    Examples:

    linkner evaluate --data test.conll

    linkner evaluate --data dev.conll --replies replies.jsonl --json

    linkner evaluate --model models/mine --data news.conll typos.conll --seen train.conll
    """
    from linkner import conll
    from linkner.recognition.recogniser import Recogniser
    from trainer.evaluation import metrics, report
    from trainer.evaluation.linked import link_all
    from trainer.evaluation.reliability_plot import draw_reliability
    from workers.cli.model.tables import print_reports

    paths = [*(data or []), *(more or [])]
    if not paths:
        raise ConfigurationError("there is nothing to evaluate on", expected="--data FILE.conll")
    recogniser = Recogniser.from_pretrained(
        model, device=device, uncertainty=uncertainty.value if uncertainty else None
    )
    detector = Detector(threshold=tau, epsilon=epsilon, max_questions=max_questions)
    surfaces = metrics.surfaces(conll.read(seen)) if seen else None
    reports: list[Report] = []
    with Steps(quiet=as_json) as steps:
        for path in paths:
            sentences = conll.read(path)
            recognised = _recognise(recogniser, sentences=sentences, path=path, steps=steps)
            judge = _judge(recognised, label_set(recogniser.label_set), replies, llm, llm_model)
            linked = (
                link_all(recognised, detector=detector, judge=judge, protocol=protocol.value)
                if judge is not None
                else None
            )
            reports.append(
                report.measure(
                    recognised,
                    data=path.name,
                    protocol=protocol.value,
                    config=recogniser.config,
                    epsilon=epsilon,
                    per_post=spans_per_post,
                    linked=linked,
                    llm=judge.name if judge is not None else None,
                    seen=surfaces,
                )
            )
    if plot is not None:
        draw_reliability(reports[0].bins, path=plot, title=f"{recogniser.name} on {reports[0].data}")
    if as_json:
        files = [one.to_json() for one in reports]
        typer.echo(json.dumps({"model": recogniser.name, **files[0], "files": files}))
    else:
        print_reports(reports, title=recogniser.name)


def _recognise(
    recogniser: Recogniser, *, sentences: Sequence[Sentence], path: Path, steps: Steps
) -> Recognised:
    from trainer.evaluation import local

    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        steps.at(path.name, done)

    steps.expect(path.name, len(sentences))
    return local.recognise(recogniser, sentences, report=report)


def _judge(
    recognised: Recognised, labels: LabelSet, replies: Path | None, llm: str | None, llm_model: str
) -> Judge | None:
    """The judge that the options name. Raises ConfigurationError where they name two."""
    from linkner.replies import read_sentence_replies
    from trainer.evaluation.linked import ReplayJudge
    from workers.cli.model.live_judge import LiveJudge

    if replies is not None and llm is not None:
        raise ConfigurationError("two LLMs are named", expected="--replies or --llm, not both")
    if replies is not None:
        words = [sentence.words for sentence in recognised.sentences]
        return ReplayJudge(read_sentence_replies(replies, words), labels)
    if llm is not None:
        return LiveJudge(name=llm_model, base_url=llm, label_set=labels)
    return None
