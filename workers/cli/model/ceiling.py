"""`linkner ceiling`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from linkner.replies import RecordedReply
from workers.cli.model.options import Device, Model
from workers.cli.options import AsJson
from workers.cli.progress import Steps
from workers.cli.tables import show


def ceiling(
    data: Annotated[Path, typer.Option(help="CoNLL file with gold tags.")],
    model: Model = None,
    price: Annotated[
        float | None, typer.Option(min=0, help="Money for a million tokens, to show what a budget costs.")
    ] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """What an LLM could add at the most, before money is spent on one.

    Shows the local model's F1 with and without types, how much of the gold it finds or holds for possible,
    and for each budget the F1 with a perfect LLM: one that gives every candidate its gold type, and adds
    the gold entities that are none. No LLM is asked; tokens are estimated.

    Examples:

    linkner ceiling --data dev.conll

    linkner ceiling --data dev.conll --model models/mine --price 0.6
    """
    from linkner.classification import Form
    from linkner.labels import label_set
    from linkner.recognition.recogniser import Recogniser
    from trainer import calibration
    from trainer.evaluation import linked, local, metrics
    from trainer.evaluation.judges import ReplayJudge

    recogniser = Recogniser.from_pretrained(model, device=device)
    sentences = local.read_labelled(data, labels=recogniser.labels)
    with Steps() as steps:
        steps.expect(data.name, len(sentences))
        found = local.recognise(recogniser, sentences, told=partial(steps.at, data.name))
    labels = label_set(recogniser.label_set)
    perfect = [RecordedReply(entities=sentence.entities, answers={}) for sentence in sentences]
    budgets = {
        form.name: calibration.frontier(found, ReplayJudge(perfect, labels, form), proposes=form.proposes)
        for form in (Form(name="packed"), Form(name="propose"))
    }
    scores = linked.unlinked(found).scores(found.sentences)
    best = metrics.coverage_at(found, per_post=1.0)
    whole: dict[str, Any] = {
        "model": recogniser.name,
        "data": data.name,
        "f1": round(scores.micro.f1, 6),
        "span_f1": round(scores.spans.f1, 6),
        "span_recall": round(scores.spans.recall, 6),
        "candidate_recall": round(best.recall or 0.0, 6),
        "candidates_per_post": round(best.per_post, 4),
        "token_count": ReplayJudge.token_count,
        "budgets": [
            {
                "budget": packed.budget,
                "posts_asked_per_100_posts": round(packed.posts_asked, 3),
                "f1_of_perfect_answers": round(packed.f1, 6),
                "f1_of_perfect_answers_and_additions": round(added.f1, 6),
                "tokens_per_1000_posts": round(1000 * added.spent.tokens / len(found), 1),
                "cost_per_1000_posts": None
                if price is None
                else round(price * added.spent.tokens / len(found) / 1000, 6),
            }
            for packed, added in zip(budgets["packed"], budgets["propose"], strict=True)
        ],
    }
    if as_json:
        typer.echo(json.dumps(whole))
    else:
        _print(whole)


def _print(whole: dict[str, Any]) -> None:
    table = Table(
        title=f"{whole['model']} on {whole['data']}, with a perfect LLM",
        caption=f"No LLM was asked. Tokens: {whole['token_count']}",
    )
    for column in (
        "posts asked of 100",
        "F1, answers",
        "F1, additions too",
        "tokens per 1,000 posts",
        "cost",
    ):
        table.add_column(column, justify="right")
    table.add_row("0", f"{100 * whole['f1']:.1f}", f"{100 * whole['f1']:.1f}", "0", "")
    for one in whole["budgets"]:
        cost = one["cost_per_1000_posts"]
        table.add_row(
            f"{one['posts_asked_per_100_posts']:.1f}",
            f"{100 * one['f1_of_perfect_answers']:.1f}",
            f"{100 * one['f1_of_perfect_answers_and_additions']:.1f}",
            f"{one['tokens_per_1000_posts']:,.0f}",
            "" if cost is None else f"{cost:.3f}",
        )
    show(table)
    Console().print(
        f"local model: F1 {100 * whole['f1']:.1f}, spans alone {100 * whole['span_f1']:.1f}; "
        f"of the gold spans {100 * whole['span_recall']:.1f} % are found, and "
        f"{100 * whole['candidate_recall']:.1f} % among the best {whole['candidates_per_post']:.2f} a post",
        highlight=False,
    )
