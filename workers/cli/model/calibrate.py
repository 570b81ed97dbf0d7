"""`linkner calibrate`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from linkner.classification import Form
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
    plot_option,
)
from workers.cli.options import AsJson
from workers.cli.progress import Steps
from workers.cli.tables import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.calibration import Bought


def calibrate(
    data: Annotated[Path, typer.Option(help="CoNLL file with gold tags that the model was not trained on.")],
    model: Annotated[Path, typer.Option(help="Checkpoint folder; the calibration is written into it.")],
    replies: Annotated[
        Path | None, typer.Option(help="Recorded replies of an LLM, to show what each budget buys.")
    ] = None,
    llm: Endpoint = None,
    llm_model: LlmModel = "gpt-4o-mini",
    form: Annotated[FormOption, typer.Option(help="The form of question.")] = FormOption.PROPOSE,
    connections: Connections = CONNECTIONS,
    llm_deadline_s: Deadline = 60.0,
    device: Device = None,
    plot: Annotated[Path | None, plot_option("Draw F1 over the posts asked about to this PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit how often a model is wrong, given what it says of itself, and write it into its checkpoint.

    With it the stream asks the LLM under a budget, so many posts of 100 (`LINKNER_BUDGET`, else 30): those
    where an answer is most likely to change something. With an LLM, called or replayed, it also shows
    what each budget buys: F1 by cross-validation inside the data, questions, and tokens.

    Examples:

    linkner calibrate --model models/mine --data dev.conll

    linkner calibrate --model models/mine --data dev.conll --replies replies.dev.jsonl --plot curve.png
    """
    from linkner import calibration as files
    from linkner.labels import label_set
    from linkner.recognition.recogniser import Recogniser
    from trainer import calibration
    from trainer.evaluation import linked, local

    if not model.is_dir():
        raise ConfigurationError(f"there is no folder {model}", expected="the folder of a checkpoint")
    asking = JudgeOptions(
        replies=[replies] if replies else [],
        llm=llm,
        llm_model=llm_model,
        connections=connections,
        deadline_s=llm_deadline_s,
        form=Form(name=form.value),
    )
    recogniser = Recogniser.from_pretrained(model, device=device)
    sentences = local.read_labelled(data, labels=recogniser.labels)
    with (
        Steps() as steps,
        asking.judges({data.name: sentences}, label_set(recogniser.label_set), steps) as (judge,),
    ):
        steps.expect(data.name, len(sentences))
        found = local.recognise(recogniser, sentences, told=partial(steps.at, data.name))
        proposes = asking.form.proposes
        bought = [] if judge is None else calibration.frontier(found, judge, proposes=proposes)
    path = files.write(model, calibration.fit(found, model=recogniser.name))
    local_f1 = linked.unlinked(found).scores(found.sentences).micro.f1
    name = None if judge is None else judge.name
    if plot is not None and bought:
        from trainer.calibration_plot import draw_frontier

        title = f"{recogniser.name} on {data.name}, LLM: {name}, cross-validated"
        with writing_to(plot):
            draw_frontier(bought, local_f1=local_f1, path=plot, title=title)
    if as_json:
        curve = [_point(one) for one in bought]
        whole = {"model": recogniser.name, "calibration": str(path), "llm": name, "form": form.value}
        typer.echo(json.dumps({**whole, "local_f1": local_f1, "budgets": curve}))
        return
    if bought:
        _print(bought, local_f1=local_f1, title=f"{recogniser.name} on {data.name}; LLM: {name}")
    typer.echo(f"calibration written to {path}")


def _point(bought: Bought) -> dict[str, Any]:
    return {
        "budget": bought.budget,
        "f1": round(bought.f1, 6),
        "questions_per_100_posts": round(bought.questions, 3),
        "posts_asked_per_100_posts": round(bought.posts_asked, 3),
        **asdict(bought.spent),
    }


def _print(bought: Sequence[Bought], *, local_f1: float, title: str) -> None:
    table = Table(title=title, caption="F1 by cross-validation inside the data")
    for column in ("posts asked of 100, wanted", "posts asked of 100", "questions per 100 posts", "F1"):
        table.add_column(column, justify="right")
    table.add_row("0", "0.0", "0.0", f"{100 * local_f1:.1f}")
    for one in bought:
        table.add_row(
            f"{one.budget:g}", f"{one.posts_asked:.1f}", f"{one.questions:.1f}", f"{100 * one.f1:.1f}"
        )
    show(table)
