"""`linkner experiments`: the paper's tables and figures, on any data, checkpoint and LLM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable

from linkner.detection import EPSILON, MAX_CANDIDATES
from workers.cli.model.delivery import deliver
from workers.cli.model.experiment_options import (
    Data,
    Descriptions,
    Epsilon,
    MaxCandidates,
    Models,
    Output,
    Part,
    Protocols,
    Replies,
    SetName,
    Split,
    Threshold,
    Uncertainties,
)
from workers.cli.model.experiment_requests import judging_of, link_of, request_of
from workers.cli.model.live_judge import CONNECTIONS
from workers.cli.model.options import Connections, Deadline, Device, Endpoint, LlmModel
from workers.cli.model.study import FewShot, LinkRequest, Request, bench
from workers.cli.options import AsJson

if TYPE_CHECKING:
    from trainer.experiments.rendering import Figure, Table
    from trainer.experiments.study import Study
    from trainer.experiments.threshold import Thresholds

app = typer.Typer(
    name="experiments",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The tables and figures of the LinkNER paper (WWW '24), for any labelled data, checkpoint and LLM.",
)


def datasets() -> None:
    """The data sets that are known: labels, licence, and where to obtain each one in what form.

    None of them comes with LinkNER. A set goes into a folder of its name.

    Example: linkner experiments datasets
    """
    from trainer.experiments.registry import DATA_SETS

    table = RichTable(show_lines=True)
    for heading in ("folder", "data set", "labels", "licence", "obtain it from", "put it as"):
        table.add_column(heading)
    for one in DATA_SETS.values():
        labels = ", ".join(one.labels.labels)
        table.add_row(one.name, f"{one.title} ({one.setting})", labels, one.licence, one.source, one.form)
    Console().print(table)


def _add_local(name: str, summary: str, example: str) -> None:
    """Add an experiment in which no LLM takes part."""

    def command(
        data: Data,
        data_set: SetName = None,
        split: Part = Split.TEST,
        model: Models = None,
        uncertainty: Uncertainties = None,
        device: Device = None,
        output: Output = None,
        as_json: AsJson = False,
    ) -> None:
        from trainer.experiments import figures, seeds

        makers: dict[str, Callable[[Study], Table | Figure]] = {
            "figure4": figures.figure4,
            "seeds": seeds.seeds,
        }
        request = request_of(data, data_set, split, model, uncertainty, device)
        _make(request, makers[name], output=output, as_json=as_json)

    app.command(name, help=f"{summary}\n\nExample: linkner experiments {name} {example}")(command)


def _add_ruled(name: str, summary: str) -> None:
    """Add an experiment that finds thresholds, on a dev set."""

    def command(
        data: Data,
        data_set: SetName = None,
        split: Part = Split.DEV,
        model: Models = None,
        uncertainty: Uncertainties = None,
        replies: Replies = None,
        llm: Endpoint = None,
        llm_model: LlmModel = "gpt-4o-mini",
        protocol: Protocols = None,
        epsilon: Epsilon = EPSILON,
        max_candidates: MaxCandidates = MAX_CANDIDATES,
        descriptions: Descriptions = None,
        connections: Connections = CONNECTIONS,
        llm_deadline_s: Deadline = 60.0,
        device: Device = None,
        output: Output = None,
        as_json: AsJson = False,
    ) -> None:
        from trainer.experiments import figures, tables

        makers: dict[str, Callable[[Study], Table | Figure]] = {
            "table6": tables.table6,
            "figure5": figures.figure5,
        }
        judging = judging_of(replies, llm, llm_model, connections, llm_deadline_s)
        link = link_of(judging, protocol, epsilon, max_candidates, descriptions)
        request = request_of(data, data_set, split, model, uncertainty, device, link)
        _make(request, makers[name], output=output, as_json=as_json)

    example = f"Example: linkner experiments {name} --data wnut17 --replies replies.dev.jsonl --output found"
    app.command(name, help=f"{summary}\n\n{example}")(command)


def _add_linked(name: str, summary: str) -> None:
    """Add an experiment that links at a threshold."""

    def command(
        data: Data,
        data_set: SetName = None,
        split: Part = Split.TEST,
        model: Models = None,
        uncertainty: Uncertainties = None,
        replies: Replies = None,
        llm: Endpoint = None,
        llm_model: LlmModel = "gpt-4o-mini",
        protocol: Protocols = None,
        threshold: Threshold = "paper",
        epsilon: Epsilon = EPSILON,
        max_candidates: MaxCandidates = MAX_CANDIDATES,
        descriptions: Descriptions = None,
        connections: Connections = CONNECTIONS,
        llm_deadline_s: Deadline = 60.0,
        device: Device = None,
        output: Output = None,
        as_json: AsJson = False,
    ) -> None:
        from trainer.experiments import figures, tables
        from trainer.experiments.threshold import read_thresholds

        makers: dict[str, Callable[[Study, Thresholds], Table | Figure]] = {
            "table3": tables.table3,
            "table7": tables.table7,
            "figure6": figures.figure6,
            "figure7": figures.figure7,
        }
        chosen = read_thresholds(threshold)
        judging = judging_of(replies, llm, llm_model, connections, llm_deadline_s)
        link = link_of(judging, protocol, epsilon, max_candidates, descriptions, chosen)
        request = request_of(data, data_set, split, model, uncertainty, device, link)
        _make(request, lambda study: makers[name](study, chosen), output=output, as_json=as_json)

    example = (
        f"Example: linkner experiments {name} --data wnut17 --uncertainty evidential --uncertainty entropy "
        "--llm http://localhost:8000/v1 --llm-model mine --threshold found/table6.json"
    )
    app.command(name, help=f"{summary}\n\n{example}")(command)


def table4(
    data: Data,
    data_set: SetName = None,
    split: Part = Split.TEST,
    model: Models = None,
    uncertainty: Uncertainties = None,
    replies: Replies = None,
    llm: Endpoint = None,
    llm_model: LlmModel = "gpt-4o-mini",
    examples: Annotated[
        Path | None, typer.Option(help="Training file that few-shot examples are drawn from.")
    ] = None,
    shots: Annotated[int, typer.Option(min=1, help="Examples of each label. Paper: 1.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the examples.")] = 0,
    protocol: Protocols = None,
    threshold: Threshold = "paper",
    epsilon: Epsilon = EPSILON,
    max_candidates: MaxCandidates = MAX_CANDIDATES,
    descriptions: Descriptions = None,
    connections: Connections = CONNECTIONS,
    llm_deadline_s: Deadline = 60.0,
    device: Device = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """F1 with and without few-shot examples and label descriptions in the question.

    That needs an LLM: recorded replies cannot change with the question, and their table says so.

    Example: linkner experiments table4 --data wnut17 --examples wnut17/train.conll --llm
    http://localhost:8000/v1 --llm-model mine
    """
    from trainer.experiments.in_context import table4 as make
    from trainer.experiments.threshold import read_thresholds

    chosen = read_thresholds(threshold)
    judging = judging_of(replies, llm, llm_model, connections, llm_deadline_s)
    link = link_of(judging, protocol, epsilon, max_candidates, descriptions, chosen)
    few_shot = None if replies else FewShot(path=examples, shots=shots, seed=seed)
    request = replace(request_of(data, data_set, split, model, uncertainty, device, link), few_shot=few_shot)
    with bench(quiet=as_json) as tools:
        result = make(request.study(tools), chosen, request.variants(tools) if few_shot else None)
    deliver(result, output=output, as_json=as_json)


def frontier(
    data: Data,
    data_set: SetName = None,
    split: Part = Split.DEV,
    model: Models = None,
    uncertainty: Uncertainties = None,
    replies: Replies = None,
    llm: Endpoint = None,
    llm_model: LlmModel = "gpt-4o-mini",
    descriptions: Descriptions = None,
    connections: Connections = CONNECTIONS,
    llm_deadline_s: Deadline = 60.0,
    device: Device = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """F1 over questions: the LLM alone, the local model alone, both ways of linking.

    Example: linkner experiments frontier --data wnut17 --replies replies.dev.jsonl --output found
    """
    from trainer.experiments.frontier import frontier as make

    asking = judging_of(replies, llm, llm_model, connections, llm_deadline_s)
    # Its ways of linking are its own: it takes none of the protocols and none of their limits.
    link = LinkRequest(judging=asking, protocols=[], descriptions=descriptions)
    request = request_of(data, data_set, split, model, uncertainty, device, link)
    _make(request, make, output=output, as_json=as_json)


def _make(
    request: Request, make: Callable[[Study], Table | Figure], *, output: Path | None, as_json: bool
) -> None:
    with bench(quiet=as_json) as tools:
        result = make(request.study(tools))
    deliver(result, output=output, as_json=as_json)


_add_linked("table3", "F1 of the local model alone and linked to the LLM, for each uncertainty.")
app.command()(table4)
_add_ruled("table6", "Thresholds by the paper's rule, on a dev set.")
_add_linked("table7", "The share of entities whose type the LLM decided.")
_add_local(
    "figure4",
    "F1 of the local model and density of its entities, by uncertainty.",
    "--data wnut17 --split dev --output figures",
)
_add_ruled("figure5", "The choice of the threshold, on a dev set.")
_add_linked("figure6", "F1 of the linked system over the threshold.")
_add_linked("figure7", "F1 of the local model and of the linked system, by uncertainty.")
app.command()(frontier)
_add_local(
    "seeds",
    "The local model, mean and spread over models of one name: runs of one recipe with other seeds.",
    "--data wnut17 --model seed1 --model seed2 --model seed3 --output found",
)
app.command()(datasets)
