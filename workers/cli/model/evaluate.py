"""`linkner evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkner.classification import Form
from linkner.detection import Detector
from linkner.errors import ConfigurationError
from workers.cli.model.judging import JudgeOptions
from workers.cli.model.options import Device, FormOption, Model, UncertaintyOverride
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from trainer.evaluation.linked import Linked
    from trainer.evaluation.local import Recognised


class ProtocolOption(StrEnum):
    """Names of the protocols."""

    DEPLOYED = "deployed"
    PAPER = "paper"


def evaluate(
    data: Annotated[
        list[Path] | None, typer.Option(help="CoNLL file with gold tags; more files may follow.")
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", show_default=False)] = None,
    model: Model = None,
    protocol: Annotated[
        ProtocolOption,
        typer.Option(
            help="How candidates are found: `deployed` sees no gold; `paper` also asks about gold spans that "
            "the model missed, as the paper's tables do."
        ),
    ] = ProtocolOption.DEPLOYED,
    form: Annotated[
        FormOption,
        typer.Option(
            help="How the LLM is asked: `per-span` about one candidate a call, `packed` about all of a post "
            "at once; with `propose` it may also add names."
        ),
    ] = FormOption.PER_SPAN,
    replies: Annotated[
        list[Path] | None,
        typer.Option(help="Link to an LLM that is replayed from recorded replies; once for each data file."),
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="Link to this OpenAI-compatible endpoint; key in OPENAI_API_KEY.")
    ] = None,
    llm_model: Annotated[str, typer.Option(help="Name of the endpoint's model.")] = "gpt-4o-mini",
    connections: Annotated[int, typer.Option(min=1, help="Calls to the endpoint at once.")] = 16,
    llm_deadline_s: Annotated[float, typer.Option(min=0.1, help="Longest time of one call.")] = 60.0,
    label_set: Annotated[
        str | None, typer.Option(help="Label set of the questions. [default: the model's]")
    ] = None,
    tau: Annotated[float, typer.Option(help="τ: predicted entities with a larger u are asked about.")] = 0.15,
    epsilon: Annotated[
        float, typer.Option(help="ε: entity probability above which O spans are asked about (deployed).")
    ] = 0.3,
    max_questions: Annotated[
        int, typer.Option(help="Most candidates of one post that are asked about (deployed).")
    ] = 8,
    best_spans: Annotated[
        float, typer.Option(min=0, help="Spans a post at which the recall of the best spans is given.")
    ] = 1.0,
    seen: Annotated[
        Path | None, typer.Option(help="Training file (CoNLL): entities that are not in it count as unseen.")
    ] = None,
    uncertainty: UncertaintyOverride = None,
    plot: Annotated[Path | None, typer.Option(help="Write a reliability plot to this PNG file.")] = None,
    device: Device = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Measure a model on labelled files: by itself, or linked to an LLM that is called or replayed.

    An entity counts where its span and its type are both right, as seqeval counts. Several files make the
    columns of one table; figures of `all` take them together as one file.

    In the JSON, ratios are in [0, 1] and what was not measured is null; the figures at the top are of all
    files together, `files` has those of each. `llm` is the LLM's name, `replay`, or null.

    Examples:

    linkner evaluate --data test.conll --seen train.conll

    linkner evaluate --model models/mine --data news.conll typos.conll --json

    linkner evaluate --data dev.conll --replies replies.dev.jsonl --form propose

    linkner evaluate --data dev.conll --protocol paper --tau 0 --llm http://127.0.0.1:11434/v1
    --llm-model llama3
    """
    from linkner import conll
    from linkner.labels import label_set as named
    from linkner.recognition.recogniser import Recogniser
    from linkner.recognition.uncertainty import largest
    from trainer.evaluation import linked, local, metrics
    from trainer.evaluation.reliability_plot import draw_reliability
    from trainer.evaluation.report import measure
    from workers.cli.model.tables import print_reports

    detector = Detector(threshold=tau, epsilon=epsilon, max_questions=max_questions)
    asking = JudgeOptions(
        replies=replies or [],
        llm=llm,
        llm_model=llm_model,
        connections=connections,
        deadline_s=llm_deadline_s,
        form=Form(name=form.value),
    )
    paths = _by_name([*(data or []), *(more or [])])
    recogniser = Recogniser.from_pretrained(
        model, device=device, uncertainty=uncertainty.value if uncertainty else None
    )
    sets = {name: local.read_labelled(path, labels=recogniser.labels) for name, path in paths.items()}
    surfaces = metrics.surfaces(conll.read(seen)) if seen else None
    runs: dict[str, tuple[Recognised, Linked]] = {}
    with (
        Steps() as steps,
        asking.judges(sets, named(label_set or recogniser.label_set), steps) as judges,
    ):
        for (name, sentences), judge in zip(sets.items(), judges, strict=True):
            steps.expect(name, len(sentences))
            found = local.recognise(recogniser, sentences, told=partial(steps.at, name))
            runs[name] = (
                found,
                linked.link_all(found, detector=detector, judge=judge, protocol=protocol.value)
                if judge is not None
                else linked.unlinked(found),
            )
    if len(runs) > 1:
        founds, results = zip(*runs.values(), strict=True)
        runs["all"] = local.pooled(founds), linked.pooled(results)
    reports = {
        name: measure(
            found,
            detector=detector,
            linked=result,
            seen=surfaces,
            best_spans=best_spans,
            top=largest(recogniser.config.uncertainty, classes=recogniser.config.classes),
        )
        for name, (found, result) in runs.items()
    }
    _, whole = list(reports.items())[-1]
    context = {
        "model": recogniser.name,
        "uncertainty": recogniser.config.uncertainty,
        "protocol": protocol.value,
        "form": form.value,
        "llm": None if judge is None else "replay" if whole.linked.replayed else judge.name,
        "token_count": None if judge is None else judge.token_count,
        "tau": tau,
        "epsilon": epsilon,
        "max_questions": max_questions,
    }
    if plot is not None:
        draw_reliability(whole.bins, path=plot, title=f"{recogniser.name} on {', '.join(sets)}")
    if as_json:
        files = [{"data": name, **reports[name].to_json()} for name in sets]
        typer.echo(json.dumps({**context, **whole.to_json(), "files": files}))
    else:
        print_reports(reports, title=recogniser.name, context=_in_words(context))


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by what they are called in tables. Raises ConfigurationError where there is none."""
    if not paths:
        raise ConfigurationError("there is nothing to evaluate on", expected="--data FILE.conll")
    names = [path.name for path in paths]
    return {path.name if names.count(path.name) == 1 else str(path): path for path in paths}


def _in_words(context: Mapping[str, Any]) -> str:
    if context["llm"] is None:
        return "no LLM: the local model alone"
    return (
        f"{context['protocol']} protocol, {context['form']} questions; "
        f"τ = {context['tau']:g}, ε = {context['epsilon']:g}; "
        f"LLM: {context['llm']}; tokens: {context['token_count']}"
    )
