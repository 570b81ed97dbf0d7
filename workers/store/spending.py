"""What LLM calls used and cost: one row for each reply that came, whatever became of it.

Beside it stands what each source has spent on each day, as a budget asks for it all the time. Each connection
adds to a row of its own (a shard), or all calls of a source would wait for each other's commits. A batch
counts by its estimate from when it is sent off until its calls are recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import Connection, text

from workers.ports import Call, CostRow, CostsBy
from workers.store.sql import NAME_CHARS, storable

_INSERT = text("""
    WITH call AS (
        INSERT INTO calls (
            question_id, source, endpoint, model, prompt_tokens, cached_prompt_tokens, completion_tokens,
            cost, batched, replayed
        )
        VALUES (
            :question_id, :source, :endpoint, :model, :prompt_tokens, :cached_prompt_tokens,
            :completion_tokens, CAST(:cost AS numeric), :batched, :replayed
        )
        RETURNING source, cost
    )
    INSERT INTO spending (day, source, shard, cost)
    SELECT (now() AT TIME ZONE 'UTC')::date, source, pg_backend_pid() % 64, cost
    FROM call WHERE cost IS NOT NULL
    ON CONFLICT (day, source, shard) DO UPDATE SET cost = spending.cost + excluded.cost
""")

_GROUPS: Mapping[CostsBy, str] = {
    "source": "source",
    "day": "to_char(called_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "model": "model",
    "endpoint": "endpoint",
}
_COSTS = """
    SELECT {group} AS name, count(*) AS calls, count(*) FILTER (WHERE replayed) AS replayed,
        count(*) FILTER (WHERE cost IS NULL) AS unpriced,
        sum(prompt_tokens)::bigint AS prompt_tokens,
        sum(cached_prompt_tokens)::bigint AS cached_prompt_tokens,
        sum(completion_tokens)::bigint AS completion_tokens,
        coalesce(sum(cost), 0) AS cost
    FROM calls WHERE called_at > now() - make_interval(secs => :within_s)
    GROUP BY 1 ORDER BY 1
"""

_SPENT_TODAY = text("""
    SELECT source, sum(cost) AS cost
    FROM (
        SELECT source, cost FROM spending WHERE day = (now() AT TIME ZONE 'UTC')::date
        UNION ALL
        SELECT expected.source, CAST(expected.cost AS numeric)
        FROM batches, jsonb_each_text(estimate) AS expected (source, cost)
        WHERE state <> 'closed' AND paid_at IS NULL
    ) AS spent
    GROUP BY source
""")


def record_calls(connection: Connection, calls: Sequence[tuple[int, str, Call]]) -> None:
    """Each call with its question's id and source. A question may have been erased: it was paid for."""
    if calls:  # whoever adds to the rows of several sources does so in one order
        connection.execute(_INSERT, [_row(*call) for call in sorted(calls, key=lambda call: call[1])])


def _row(question_id: int, source: str, call: Call) -> dict[str, object]:
    return {
        "question_id": question_id,
        "source": source,
        "endpoint": storable(call.endpoint, limit=NAME_CHARS),
        "model": storable(call.model, limit=NAME_CHARS),
        "prompt_tokens": call.usage.prompt,
        "cached_prompt_tokens": call.usage.cached_prompt,
        "completion_tokens": call.usage.completion,
        "cost": call.cost,
        "batched": call.batched,
        "replayed": call.replayed,
    }


def costs(connection: Connection, by: CostsBy, *, within_s: float) -> list[CostRow]:
    """See `Ledger.costs`."""
    rows = connection.execute(text(_COSTS.format(group=_GROUPS[by])), {"within_s": within_s})
    return [CostRow(**row._mapping) for row in rows]


def spent_today(connection: Connection) -> dict[str, Decimal]:
    """See `Ledger.spent_today`."""
    return {row.source: row.cost for row in connection.execute(_SPENT_TODAY)}
