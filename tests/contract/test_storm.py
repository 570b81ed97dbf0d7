"""In a storm of faults nothing is lost or doubled; with a protection switched off the same check reports it.

What only shows when two transactions meet is in `store/test_*_protections`, the confirmation of publishes,
which is the broker's, in `test_publisher`.
"""

from __future__ import annotations

from types import ModuleType

import pytest
from sqlalchemy import Engine, text

from tests.support.storm import Outcome, Storm
from workers.store import asking, finishing, outbox

SEEDS = range(12)
"""Storms in which the harm is looked for; it shows in one of the first."""


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_or_doubled(engine: Engine, seed: int) -> None:
    outcome = Storm(engine, seed=seed).run()
    assert outcome.accepted > 20, "a storm over a few posts proves little"
    assert outcome == Outcome(outcome.accepted, outcome.accepted, lost=0, doubled=0, wrong=0)


@pytest.mark.parametrize(
    ("module", "name", "part", "replacement", "harm"),
    [
        (outbox, "LOST_DOCUMENTS", "published_at <= now()", "published_at > now()", "lost"),
        (outbox, "LOST_QUESTIONS", "published_at <= now()", "published_at > now()", "lost"),
        (outbox, "FREE_LEASES", "lease_until <= now()", "false", "lost"),
        (asking, "CLAIM", "state = 'claimed' AND lease_until <= now()", "state = 'claimed'", "doubled"),
        (asking, "ANSWER", "questions.fence = claim.fence", "true", "doubled"),
        (finishing, "LOCK_UNFINISHED", "AND state = :state", "AND :state > ''", "doubled"),
    ],
    ids=["relay-documents", "relay-questions", "lease-ends", "lease-holds", "fence", "idempotent-join"],
)
def test_the_harm_shows_with_a_protection_off(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    part: str,
    replacement: str,
    harm: str,
) -> None:
    statement = getattr(module, name).text
    assert part in statement
    monkeypatch.setattr(module, name, text(statement.replace(part, replacement)))
    storms = (Storm(engine, seed=seed, unprotected=True) for seed in SEEDS)
    assert any(getattr(storm.run(), harm) > 0 for storm in storms)
