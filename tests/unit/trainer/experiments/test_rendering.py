"""Tables and figures as text, Markdown, JSON and PNG."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from rich.console import Console

from trainer.experiments.drawing import draw
from trainer.experiments.rendering import Column, Figure, Panel, Series, Spread, Table

TABLE = Table(
    name="table3",
    title="Local and linked",
    columns=(
        Column("setting", "Setting"),
        Column("f1", "F1 (%)", "percent"),
        Column("gain", "Δ", "points"),
        Column("threshold", "τ", "number"),
        Column("gold", "Gold", "count"),
    ),
    rows=(("a | b", 0.61234567, 0.05, 0.1, 1234), ("c", 0.5, -0.01, None, 0)),
    facts={"protocol": "paper", "replayed": True},
    notes=("Protocol: paper.", "LLM: replayed [a file]."),
)


def figure(*panels: Panel) -> Figure:
    return Figure(name="figure4", title="A figure", panels=panels, facts={"protocol": "paper"}, notes=("N.",))


def panel(*series: Series) -> Panel:
    return Panel(title="a set", x="uncertainty u", y="F1 (%)", right="share (%)", series=series)


def test_markdown_has_headings_values_and_notes() -> None:
    assert TABLE.to_markdown().splitlines() == [
        "## Local and linked",
        "",
        "| Setting | F1 (%) | Δ | τ | Gold |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| a \\| b | 61.23 | +5.00 | 0.1 | 1,234 |",
        "| c | 50.00 | -1.00 | – | 0 |",
        "",
        "- Protocol: paper.",
        "- LLM: replayed [a file].",
    ]


def test_what_the_notes_name_is_left_out_where_all_rows_have_it() -> None:
    columns = (Column("model", "Model", noted=True), Column("data"), Column("f1", "F1", "percent"))
    same = Table(name="t", title="T", columns=columns, rows=(("a", "x", 0.5), ("a", "y", 0.6)), facts={})
    other = replace(same, rows=(("a", "x", 0.5), ("b", "y", 0.6)))

    assert same.to_markdown().splitlines()[2:] == ["| F1 |", "| ---: |", "| 50.00 |", "| 60.00 |", ""]
    assert other.to_markdown().splitlines()[2:6] == [
        "| Model | F1 |",
        "| --- | ---: |",
        "| a | 50.00 |",
        "| b | 60.00 |",
    ]
    assert [row["data"] for row in same.to_json()["rows"]] == ["x", "y"]
    assert {row["model"] for row in same.to_json()["rows"]} == {"a"}


def test_json_keeps_ratios_facts_and_notes() -> None:
    value = json.loads(json.dumps(TABLE.to_json()))
    assert value["experiment"] == "table3"
    assert (value["protocol"], value["replayed"]) == ("paper", True)
    assert value["rows"][0] == {
        "setting": "a | b",
        "f1": 0.612346,
        "gain": 0.05,
        "threshold": 0.1,
        "gold": 1234,
    }
    assert value["rows"][1]["threshold"] is None
    assert value["notes"] == ["Protocol: paper.", "LLM: replayed [a file]."]


def test_a_spread_is_written_as_its_column_s_values_are() -> None:
    columns = (Column("f1", "F1", "percent"), Column("auroc", "AUROC", "number"))
    spread = Spread(0.5, 0.0123456789, 3)
    table = Table(name="t", title="T", columns=columns, rows=((spread, Spread(0.75, 0.0, 1)),), facts={})

    assert table.to_markdown().splitlines()[4] == "| 50.00 ± 1.23 | 0.75 |"
    assert table.to_json()["rows"][0]["f1"] == {"mean": 0.5, "deviation": 0.012346, "runs": 3}


def test_text_shows_the_notes_below_the_table() -> None:
    text = io.StringIO()
    Console(width=100, file=text).print(TABLE.to_text())
    shown = text.getvalue()
    assert "61.23" in shown
    assert shown.index("61.23") < shown.index("LLM: replayed [a file].")


def test_a_figure_s_numbers_keep_gaps() -> None:
    series = Series(label="local", kind="line", x=(0.05, 0.15), y=(0.123456789, None), counts=(12, 0))
    value = json.loads(json.dumps(figure(panel(series)).to_json()))
    assert value["panels"][0]["series"] == [
        {"label": "local", "kind": "line", "x": [0.05, 0.15], "y": [0.123457, None], "counts": [12, 0]}
    ]
    assert (value["experiment"], value["protocol"], value["notes"]) == ("figure4", "paper", ["N."])


def test_every_kind_of_series_is_drawn(tmp_path) -> None:
    every = panel(
        Series(label="density", kind="bars", x=(0.05, 0.15), y=(0.7, 0.3)),
        Series(label="local", kind="line", x=(0.05, 0.15), y=(0.9, None), counts=(3, 0)),
        Series(label="linked", kind="level", x=(0.0, 1.0), y=(0.7, 0.7)),
        Series(label="τ", kind="point", x=(0.1,), y=(0.7,)),
    )
    narrow, wide = tmp_path / "one.png", tmp_path / "two.png"
    draw(figure(every), narrow)
    draw(figure(every, panel(Series(label="one bar", kind="bars", x=(0.5,), y=(1.0,)))), wide)
    for path in (narrow, wide):
        assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert _width(wide.read_bytes()) > 1.8 * _width(narrow.read_bytes())


def _width(png: bytes) -> int:
    """The width in the PNG's header."""
    return int.from_bytes(png[16:20], "big")
