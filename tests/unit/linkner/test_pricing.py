"""What a call costs, and reading the table of prices."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.errors import ConfigurationError
from linkner.pricing import Price, Usage, read_prices

PRICE = Price(prompt=Decimal("0.15"), completion=Decimal("0.6"), cached_prompt=Decimal("0.075"))
tokens = st.integers(0, 10**7)
usages = st.builds(Usage, tokens, tokens, tokens)


def prices(tmp_path: Path, value: object) -> Path:
    file = tmp_path / "prices.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_each_kind_of_token_has_its_price() -> None:
    assert PRICE.cost(Usage(1_000_000, 0)) == Decimal("0.15")
    assert PRICE.cost(Usage(0, 1_000_000)) == Decimal("0.6")
    assert PRICE.cost(Usage(1_000_000, 0, cached_prompt=400_000)) == Decimal("0.12")
    assert PRICE.cost(Usage(700, 5)) == Decimal("0.000108")


def test_a_batch_costs_half_unless_the_table_says_otherwise() -> None:
    assert PRICE.cost(Usage(1_000_000, 0), batched=True) == Decimal("0.075")


@given(usages)
def test_a_cost_is_never_negative_and_caching_never_dearer(usage: Usage) -> None:
    assert 0 <= PRICE.cost(usage) <= PRICE.cost(Usage(usage.prompt, usage.completion))


def test_an_endpoint_may_have_a_price_of_its_own(tmp_path: Path) -> None:
    own = {"model": "m", "endpoint": "http://here/v1/", "prompt": 0, "completion": 0}
    table = read_prices(prices(tmp_path, [own, {"model": "m", "prompt": 1, "completion": 2, "batch": 0.4}]))
    here = table.price(endpoint="http://here/v1", model="m")
    there = table.price(endpoint="http://there/v1", model="m")
    assert here is not None
    assert here.cost(Usage(10, 10)) == 0
    assert there is not None
    assert there.cost(Usage(10**6, 0, 10**6)) == 1, "without a price of their own cached tokens cost the same"
    assert there.cost(Usage(10**6, 0), batched=True) == Decimal("0.4")
    assert table.price(endpoint="http://here/v1", model="another") is None


@pytest.mark.parametrize(
    "value",
    [
        "not json",
        {"model": "m"},
        ["m"],
        [{"prompt": 1, "completion": 1}],
        [{"model": "m", "prompt": 1}],
        [{"model": "m", "prompt": 1, "completion": -1}],
        [{"model": "m", "prompt": 1, "completion": "1"}],
        [{"model": "m", "prompt": True, "completion": 1}],
        [{"model": "m", "prompt": 1, "completion": 1, "cached": 1}],
        '[{"model": "m", "prompt": NaN, "completion": 1}]',
        [{"model": "m", "prompt": 1, "completion": 1}] * 2,
    ],
)
def test_a_file_that_is_no_table_is_one_error(tmp_path: Path, value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"prices\.json"):
        read_prices(prices(tmp_path, value))


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read prices"):
        read_prices(tmp_path / "none.json")
