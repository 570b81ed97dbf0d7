"""What LLM calls cost: tokens used, and a table of prices by endpoint and model.

Money is exact (`Decimal`) and in whatever one currency the table is written in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from linkner.errors import ConfigurationError

ANY_ENDPOINT = "*"

_MILLION = 1_000_000
_PARTS = ("prompt", "completion")
_EXPECTED = (
    'a JSON array of prices for a million tokens: {"model": …, "prompt": …, "completion": …}, and if wanted'
    ' "cached_prompt", "batch" (the factor of batch calls) and "endpoint" (a base URL)'
)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `cached_prompt` are those of `prompt` that the provider's prompt cache served."""

    prompt: int
    completion: int
    cached_prompt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Money for a million tokens; `batch` is the factor of calls through the batch API (half price: 0.5)."""

    prompt: Decimal
    completion: Decimal
    cached_prompt: Decimal
    batch: Decimal = Decimal("0.5")

    def cost(self, usage: Usage, *, batched: bool = False) -> Decimal:
        """What a call of this usage costs. More cached tokens than prompt tokens count as all of them."""
        cached = min(usage.cached_prompt, usage.prompt)
        full = (
            (usage.prompt - cached) * self.prompt
            + cached * self.cached_prompt
            + usage.completion * self.completion
        ) / _MILLION
        return full * self.batch if batched else full


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by (endpoint's base URL or `ANY_ENDPOINT`, model). An empty table knows no price."""

    prices: Mapping[tuple[str, str], Price]

    def price(self, *, endpoint: str, model: str) -> Price | None:
        """The price of a model at an endpoint: its own one, else that at any endpoint, else None."""
        own = self.prices.get((_plain(endpoint), model))
        return own or self.prices.get((ANY_ENDPOINT, model))


def tokens_of(chars: int) -> int:
    """An estimate without a tokeniser: one token for every four characters, rounded up."""
    return math.ceil(chars / 4)


def read_prices(path: str | Path) -> PriceTable:
    """The table of a JSON file.

    `[{"model": "gpt-4o-mini", "prompt": 0.15, "cached_prompt": 0.075, "completion": 0.6}]` prices a model at
    any endpoint, with `"endpoint": "http://10.0.0.7:8000/v1"` at that one. Without `cached_prompt` cached
    tokens cost as much as others.

    Raises:
        ConfigurationError: the file cannot be read, holds something else, or prices something twice.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot read prices from {path}", expected=_EXPECTED, got=str(error)
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(f"{path} does not hold prices", expected=_EXPECTED)
    table = [_row(row, path) for row in rows]
    prices = dict(table)
    if len(prices) < len(table):
        raise ConfigurationError(f"{path} prices a model twice at one endpoint", expected=_EXPECTED)
    return PriceTable(prices)


def _row(row: Mapping[str, Any], path: str | Path) -> tuple[tuple[str, str], Price]:
    numbers = {name: row[name] for name in (*_PARTS, "cached_prompt", "batch") if name in row}
    model, endpoint = row.get("model"), row.get("endpoint", ANY_ENDPOINT)
    good = (
        isinstance(model, str)
        and isinstance(endpoint, str)
        and numbers.keys() >= set(_PARTS)
        and all(isinstance(number, Decimal) and number >= 0 for number in numbers.values())
        and not row.keys() - {"model", "endpoint", *numbers}
    )
    if not good:
        raise ConfigurationError(
            f"{path} holds an unusable price", expected=_EXPECTED, got=json.dumps(row, default=str)[:200]
        )
    return (_plain(endpoint), str(model)), Price(**{"cached_prompt": numbers["prompt"], **numbers})


def _plain(endpoint: str) -> str:
    return endpoint.rstrip("/")
