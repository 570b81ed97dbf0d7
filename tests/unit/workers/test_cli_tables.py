"""No amount and no day is cut in a narrow window."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rich.table import Table

from workers.cli import cost
from workers.cli.tables import show
from workers.ports import CostRow

DAYS = [
    CostRow(
        name=f"2026-11-{day}",
        calls=12_345,
        replayed=0,
        unpriced=7,
        prompt_tokens=12_345_678,
        cached_prompt_tokens=1_234_567,
        completion_tokens=123_456,
        cost=Decimal("1234.004412"),
    )
    for day in (28, 29)
]


def shown(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    show(table)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [30, 80, 100, 200])
def test_costs_are_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    text = shown(cost._table(DAYS, by="day"), monkeypatch, capsys, width)
    for whole in ("2026-11-28", "2026-11-29", "12,345,678", "1,234.004412", "2,468.008824", "completion"):
        assert whole in text
    assert "…" not in text
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width


def test_what_may_be_folded_leaves_room_to_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("made", "id")
    table.add_column("error", overflow="fold")
    table.add_row("2026-11-29 14:15:03", "batch_67890abcdef", "https://" + "x" * 200)
    text = shown(table, monkeypatch, capsys, 60)
    assert "batch_67890abcdef" in text
    assert "2026-11-29" in text
    assert text.count("x") == 200
    assert max(map(len, text.splitlines())) <= 60
