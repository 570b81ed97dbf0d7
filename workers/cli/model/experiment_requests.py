"""From the values of the options of `linkner experiments` to what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workers.cli.model.experiment_options import Split
from workers.cli.model.judging import JudgeOptions
from workers.cli.model.options import Protocol, Uncertainty
from workers.cli.model.study import LinkRequest, Request

if TYPE_CHECKING:
    from trainer.experiments.threshold import Thresholds


def judging_of(
    replies: Sequence[Path] | None, llm: str | None, llm_model: str, connections: int, deadline_s: float
) -> JudgeOptions:
    """The LLM that they name."""
    return JudgeOptions(
        replies=replies or [], llm=llm, llm_model=llm_model, connections=connections, deadline_s=deadline_s
    )


def link_of(
    judging: JudgeOptions,
    protocols: Sequence[Protocol] | None,
    epsilon: float,
    max_candidates: int,
    descriptions: Path | None,
    thresholds: Thresholds | None = None,
) -> LinkRequest:
    """How to link to it; both protocols where none is named."""
    return LinkRequest(
        judging=judging,
        protocols=[one.value for one in protocols or Protocol],
        epsilon=epsilon,
        max_candidates=max_candidates,
        descriptions=descriptions,
        thresholds=thresholds,
    )


def request_of(
    data: Sequence[Path],
    name: str | None,
    split: Split,
    models: Sequence[Path] | None,
    uncertainties: Sequence[Uncertainty] | None,
    device: str | None,
    link: LinkRequest | None = None,
) -> Request:
    """What is put to which models."""
    from trainer.experiments.registry import find

    return Request(
        data=[find(path, split=split.value, name=name) for path in data],
        models=models or [None],
        uncertainties=[one.value for one in uncertainties] if uncertainties else [None],
        device=device,
        link=link,
    )
