"""`linkner evaluate`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkner import calibration
from linkner.calibration import Calibration
from linkner.classification import Form
from linkner.detection import EPSILON, MAX_CANDIDATES, THRESHOLD, Detector
from linkner.detectors import BUDGET, Detectors
from linkner.errors import ConfigurationError
from linkner.writing import writing_to
from workers.cli.model.judging import JudgeOptions
from workers.cli.model.live_judge import CONNECTIONS
from workers.cli.model.options import (
    Connections,
    Deadline,
    Device,
    Endpoint,
    FormOption,
    LlmModel,
    Model,
    Protocol,
    UncertaintyOverride,
    plot_option,
)
from workers.cli.options import AsJson
from workers.cli.progress import Steps

if TYPE_CHECKING:
    from trainer.evaluation.linked import Linked
    from trainer.evaluation.local import Recognised


def evaluate(
    data: Annotated[
        list[Path] | None, typer.Option(help="CoNLL file with gold tags; more files may follow.")
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", show_default=False)] = None,
    model: Model = None,
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="How candidates are found: `deployed` sees no gold; `paper` also asks about gold spans that "
            "the model missed, as the paper's tables do."
        ),
    ] = Protocol.DEPLOYED,
    form: Annotated[
        FormOption | None,
        typer.Option(
            help="How the LLM is asked: `per-span` about one candidate a call, `packed` about all of a post "
            "at once; with `propose` it may also add names. [default: propose; per-span under `paper`]"
        ),
    ] = None,
    replies: Annotated[
        list[Path] | None,
        typer.Option(help="Link to an LLM that is replayed from recorded replies; once for each data file."),
    ] = None,
    llm: Endpoint = None,
    llm_model: LlmModel = "gpt-4o-mini",
    connections: Connections = CONNECTIONS,
    llm_deadline_s: Deadline = 60.0,
    label_set: Annotated[
        str | None, typer.Option(help="Label set of the questions. [default: the model's]")
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(help=f"τ: predicted entities with a larger u are asked about. [default: {THRESHOLD:g}]"),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help=f"ε: O spans of a larger entity probability are, too (deployed). [default: {EPSILON:g}]"
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="In place of τ and ε: posts of 100 to ask about, by the model's calibration (deployed). "
            f"[default: {BUDGET:g}, where the model has one, and neither τ nor ε is given]",
        ),
    ] = None,
    max_candidates: Annotated[
        int, typer.Option(help="Most candidates of one post that are asked about (deployed).")
    ] = MAX_CANDIDATES,
    best_spans: Annotated[
        float, typer.Option(min=0, help="Spans a post at which the recall of the best spans is given.")
    ] = 1.0,
    seen: Annotated[
        Path | None, typer.Option(help="Training file (CoNLL): entities that are not in it count as unseen.")
    ] = None,
    uncertainty: UncertaintyOverride = None,
    plot: Annotated[Path | None, plot_option("Write a reliability plot to this PNG file.")] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled files: by itself, or linked to an LLM that is called or replayed.

    An entity counts where its span and its type are both right, as seqeval counts. Several files make the
    columns of one table; figures of `all` take them together as one file.

    In the JSON, ratios are in [0, 1] and what was not measured is null; the figures at the top are of all
    files together, `files` has those of each. `llm` is the LLM's name, `replay`, or null.

    Examples:

    linkner evaluate --data test.conll --seen train.conll

    linkner evaluate --model models/mine --data news.conll typos.conll --json

    linkner evaluate --data dev.conll --replies replies.dev.jsonl --budget 30

    linkner evaluate --data dev.conll --protocol paper --tau 0 --llm http://127.0.0.1:11434/v1
    --llm-model llama3
    """
    from linkner import conll
    from linkner.labels import label_set as named
    from linkner.recognition.recogniser import Recogniser
    from linkner.recognition.uncertainty import largest
    from trainer.evaluation import local, metrics
    from trainer.evaluation.linked import link_all
    from trainer.evaluation.reliability_plot import draw_reliability
    from trainer.evaluation.report import measure_all
    from workers.cli.model.tables import print_reports

    paths = _by_name([*(data or []), *(more or [])])
    if budget is not None and (protocol is Protocol.PAPER or tau is not None or epsilon is not None):
        raise ConfigurationError(
            "a budget replaces τ and ε, and the paper's protocol knows none",
            expected="--budget, or --tau and --epsilon",
        )
    asked_as = form or (FormOption.PER_SPAN if protocol is Protocol.PAPER else FormOption.PROPOSE)
    detectors = Detectors(
        threshold=THRESHOLD if protocol is Protocol.PAPER and tau is None else tau,
        epsilon=epsilon,
        budget=budget,
        calibration=_calibration(model, needed=budget is not None),
        max_candidates=max_candidates,
        proposes=asked_as is FormOption.PROPOSE,
    )
    asking = JudgeOptions(
        replies=replies or [],
        llm=llm,
        llm_model=llm_model,
        connections=connections,
        deadline_s=llm_deadline_s,
        form=Form(name=asked_as.value),
    )
    recogniser = Recogniser.from_pretrained(
        model, device=device, uncertainty=uncertainty.value if uncertainty else None
    )
    config, detector = recogniser.config, detectors.of(recogniser.name)
    sets = {name: local.read_labelled(path, labels=config.labels) for name, path in paths.items()}
    surfaces = metrics.surfaces(conll.read(seen)) if seen else None
    runs: dict[str, tuple[Recognised, Linked]] = {}
    with Steps() as steps, asking.judges(sets, named(label_set or config.label_set), steps) as judges:
        for (name, sentences), judge in zip(sets.items(), judges, strict=True):
            steps.expect(name, len(sentences))
            found = local.recognise(recogniser, sentences, told=partial(steps.at, name))
            runs[name] = found, link_all(found, detector=detector, judge=judge, protocol=protocol.value)
    reports = measure_all(
        runs,
        detector=detector,
        seen=surfaces,
        best_spans=best_spans,
        top=largest(config.uncertainty, classes=config.classes),
    )
    whole = [*reports.values()][-1]
    context = {
        "model": recogniser.name,
        "uncertainty": config.uncertainty,
        "protocol": protocol.value,
        "tau": detector.threshold if isinstance(detector, Detector) else None,
        "epsilon": detector.epsilon if isinstance(detector, Detector) else None,
        "budget": None if isinstance(detector, Detector) else BUDGET if budget is None else budget,
        "max_candidates": max_candidates,
        "form": asked_as.value,
        "llm": None if judge is None else "replay" if whole.linked.replayed else judge.name,
        "token_count": None if judge is None else judge.token_count,
    }
    if plot is not None:
        with writing_to(plot):
            draw_reliability(whole.bins, path=plot, title=f"{recogniser.name} on {', '.join(sets)}")
    if as_json:
        files = [{"data": name, **reports[name].to_json()} for name in sets]
        typer.echo(json.dumps({**context, **whole.to_json(), "files": files}))
    else:
        print_reports(reports, title=recogniser.name, context=_in_words(context))


def _calibration(model: Path | None, *, needed: bool) -> Calibration | None:
    """That of the model; None where it has none and needs none."""
    folder = model or calibration.DEFAULT_CHECKPOINT
    return calibration.read(folder) if needed or (folder / calibration.FILE).exists() else None


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by what they are called in tables. Raises ConfigurationError for none, or for one twice."""
    if not paths:
        raise ConfigurationError("there is nothing to evaluate on", expected="--data FILE.conll")
    for path, count in Counter(path.resolve() for path in paths).items():
        if count > 1:
            raise ConfigurationError("a data file is named twice", expected="each once", got=str(path))
    names = [path.name for path in paths]
    return {path.name if names.count(path.name) == 1 else str(path): path for path in paths}


def _in_words(context: Mapping[str, Any]) -> str:
    if context["llm"] is None:
        return "no LLM: the local model alone"
    chosen = (
        f"τ = {context['tau']:g}, ε = {context['epsilon']:g}"
        if context["budget"] is None
        else f"a budget of {context['budget']:g} posts of 100"
    )
    return (
        f"{context['protocol']} protocol, {context['form']} questions, {chosen}; "
        f"LLM: {context['llm']}; tokens: {context['token_count']}"
    )
