"""How documents are asked about, by source: in which lane, until when, for how much money a day."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from linkner.errors import ConfigurationError
from workers.ports import Lane, StoredText

_EXPECTED = (
    "a JSON object of sources, each with some of lane"
    f" ({', '.join(get_args(Lane))}), deadline_s (above 0) and budget_per_day (0 or more)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the documents of one source are asked about.

    `deadline_s`: age of a document at which its open questions end unanswered; None leaves that to the relay.
    `budget_per_day`: cost of calls in a day (UTC) after which the source asks no more; None sets no limit.
    """

    lane: Lane = "now"
    deadline_s: float | None = None
    budget_per_day: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policy of each source, and that of all others.

    `batch_deadline_s` is the deadline in the batch lane where there is no other: the relay's is too short.
    """

    default: Policy = Policy()
    by_source: Mapping[str, Policy] = field(default_factory=dict)
    batch_deadline_s: float = 26 * 3600.0

    def of(self, stored: StoredText) -> tuple[Lane, float | None]:
        """Lane and deadline (s) of a document: its own where it came with one, else its source's."""
        policy = self.by_source.get(stored.source, self.default)
        lane = stored.lane or policy.lane
        deadline_s = policy.deadline_s if stored.deadline_s is None else stored.deadline_s
        return lane, self.batch_deadline_s if deadline_s is None and lane == "batch" else deadline_s

    @property
    def budgets(self) -> Mapping[str, Decimal]:
        """The budget of each source that has one of its own."""
        return {
            source: policy.budget_per_day
            for source, policy in self.by_source.items()
            if policy.budget_per_day is not None
        }


def read_policies(path: str | Path, *, default: Policy) -> Mapping[str, Policy]:
    """The policy of each source in a JSON file; what a source leaves out is as in `default`.

    `{"reddit": {"lane": "never"}, "twitter": {"deadline_s": 120, "budget_per_day": 2.5}}`

    Raises:
        ConfigurationError: the file cannot be read or holds something else.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot read the policies of sources from {path}", expected=_EXPECTED, got=str(error)
        ) from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path} does not hold policies of sources", expected=_EXPECTED)
    return {source: _policy(source, chosen, default, path) for source, chosen in value.items()}


def _policy(source: str, chosen: Any, default: Policy, path: str | Path) -> Policy:
    known = {each.name for each in fields(Policy)}
    good = (
        isinstance(chosen, dict)
        and not chosen.keys() - known
        and chosen.get("lane", default.lane) in get_args(Lane)
        and all(_is_number(chosen[name]) for name in chosen.keys() - {"lane"})
        and chosen.get("deadline_s", 1) > 0
    )
    if not good:
        raise ConfigurationError(f"{path} has no usable policy for the source {source!r}", expected=_EXPECTED)
    own = dict(chosen)
    if "deadline_s" in own:
        own["deadline_s"] = float(own["deadline_s"])
    return Policy(**{name: getattr(default, name) for name in known} | own)


def _is_number(value: object) -> bool:
    return isinstance(value, Decimal) and math.isfinite(value) and value >= 0
