"""How documents are asked about: their own wish, then their source's, then the default."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from linkner.errors import ConfigurationError
from workers.handlers.policies import Policies, Policy, read_policies
from workers.ports import Lane, StoredText

POLICIES = Policies(
    default=Policy(deadline_s=60.0), by_source={"reddit": Policy(lane="never", deadline_s=5.0)}
)


def stored(source: str, *, lane: Lane | None = None, deadline_s: float | None = None) -> StoredText:
    return StoredText(1, source, "text", 0, lane, deadline_s)


def written(tmp_path: Path, value: object) -> Path:
    file = tmp_path / "sources.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_a_source_has_its_policy_and_a_document_its_own_wish() -> None:
    assert POLICIES.of(stored("twitter")) == ("now", 60.0)
    assert POLICIES.of(stored("reddit")) == ("never", 5.0)
    assert POLICIES.of(stored("reddit", lane="now")) == ("now", 5.0)
    assert POLICIES.of(stored("reddit", deadline_s=9.0)) == ("never", 9.0)


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    file = written(tmp_path, {"a": {"lane": "never"}, "b": {"deadline_s": 2, "budget_per_day": 0.5}, "c": {}})
    found = read_policies(file, default=Policy(deadline_s=60.0))
    assert found == {
        "a": Policy(lane="never", deadline_s=60.0),
        "b": Policy(deadline_s=2.0, budget_per_day=Decimal("0.5")),
        "c": Policy(deadline_s=60.0),
    }
    assert Policies(by_source=found).budgets == {"b": Decimal("0.5")}


def test_the_batch_lane_has_a_deadline_of_its_own() -> None:
    policies = Policies(by_source={"slow": Policy(lane="batch")}, batch_deadline_s=90.0)
    assert policies.of(stored("slow")) == ("batch", 90.0)
    assert policies.of(stored("twitter", lane="batch", deadline_s=5.0)) == ("batch", 5.0)
    assert policies.of(stored("twitter")) == ("now", None)


@pytest.mark.parametrize(
    "value",
    [
        "not json",
        [],
        {"a": "never"},
        {"a": {"lane": "soon"}},
        {"a": {"lane": ["now"]}},
        {"a": {"deadline_s": 0}},
        {"a": {"deadline_s": "60"}},
        {"a": {"deadline_s": True}},
        {"a": {"budget_per_day": -1}},
        {"a": {"budget": 1}},
        '{"a": {"deadline_s": NaN}}',
    ],
)
def test_a_file_that_holds_no_policies_is_one_error(tmp_path: Path, value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.json"):
        read_policies(written(tmp_path, value), default=Policy())


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_policies(tmp_path / "none.json", default=Policy())
