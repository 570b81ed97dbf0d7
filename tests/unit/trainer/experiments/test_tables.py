"""Tables 3, 4, 6 and 7 on posts that are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linkner.errors import ConfigurationError
from tests.unit.trainer.experiments.examples import OneLabelJudge, replay, study
from trainer.experiments.in_context import table4
from trainer.experiments.tables import table3, table6, table7
from trainer.experiments.threshold import read_thresholds

NEVER = read_thresholds("1")


def rows(table) -> list[dict]:
    return table.to_json()["rows"]


def test_table3_sets_the_local_model_beside_the_linked_system_and_the_paper() -> None:
    (row,) = rows(table3(study(replay(), "deployed"), read_thresholds("0.3")))

    assert (row["data"], row["model"], row["uncertainty"], row["protocol"]) == (
        "WNUT'17 test",
        "tiny",
        "evidential",
        "deployed",
    )
    assert row["local_f1"] == pytest.approx(2 * 1 / (3 + 3), abs=1e-6)
    assert (row["linked_f1"], row["llm_f1"]) == (1.0, 1.0)
    assert row["gain"] == pytest.approx(2 / 3, abs=1e-6)
    assert (row["paper_local_f1"], row["paper_linked_f1"], row["paper_llm_f1"]) == (0.5174, 0.7304, 0.4253)


def test_table3_says_what_was_replayed_and_names_both_protocols() -> None:
    table = table3(study(replay(), "paper", "deployed"), read_thresholds("paper"))

    assert [row["protocol"] for row in rows(table)] == ["paper", "deployed"]
    assert [row["threshold"] for row in rows(table)] == [0.1, 0.1]
    assert table.to_json()["replayed"] is True
    notes = "\n".join(table.notes)
    for part in (
        "Protocol `paper`",
        "Protocol `deployed`",
        "replayed",
        "Table 6",
        "tiny (evidential)",
        "30 sentences",
    ):
        assert part in notes


def test_a_live_llm_is_not_called_a_replay_and_its_own_f1_is_not_known() -> None:
    table = table3(study(OneLabelJudge(), "paper"), read_thresholds("0.3"))

    assert rows(table)[0]["llm_f1"] is None
    assert (table.to_json()["replayed"], table.to_json()["llm"]) == (False, "one-label")
    assert "replayed" not in "\n".join(table.notes)


def test_an_unknown_data_set_has_no_figures_of_the_paper() -> None:
    own = study(replay(), "paper", known=False)

    (row,) = rows(table3(own, read_thresholds("0.3")))

    assert (row["data"], row["data_set"], row["paper_linked_f1"]) == ("test.conll", None, None)
    with pytest.raises(ConfigurationError, match=r"the paper has no threshold for test.conll"):
        table3(own, read_thresholds("paper"))


def test_table6_finds_thresholds_that_the_others_take(tmp_path: Path) -> None:
    found = table6(study(replay(), "paper", "deployed"))
    path = tmp_path / "table6.json"
    path.write_text(json.dumps(found.to_json()))

    by_protocol = {row["protocol"]: row["threshold"] for row in rows(found)}
    again = table3(study(replay(), "deployed", "paper"), read_thresholds(str(path)))

    # u in [0.1, 0.2): right. Beyond: wrong, and below the fully linked system.
    assert by_protocol == {"paper": 0.2, "deployed": 0.2}
    assert {row["protocol"]: row["threshold"] for row in rows(again)} == by_protocol
    assert "by the paper's rule on WNUT'17 test (table6.json). It was chosen on data" in "\n".join(
        again.notes
    )


def test_thresholds_of_another_model_are_refused(tmp_path: Path) -> None:
    value = table6(study(replay(), "paper")).to_json()
    path = tmp_path / "table6.json"
    path.write_text(json.dumps({**value, "rows": [{**value["rows"][0], "model": "another"}]}))

    with pytest.raises(ConfigurationError, match=r"does not have one threshold .*got 0 rows"):
        table3(study(replay(), "paper"), read_thresholds(str(path)))


@pytest.mark.parametrize("text", [None, "{", "[]", '{"rows": [{}]}', '{"rows": [{"threshold": "x"}]}'])
def test_what_gives_no_thresholds_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "table6.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigurationError, match="cannot be used"):
        read_thresholds(str(path))


def test_table7_is_the_share_that_the_llm_decided() -> None:
    asked = table7(study(replay(), "deployed"), read_thresholds("0.3"))
    unasked = table7(study(replay(), "paper"), NEVER)

    assert rows(asked)[0]["llm_share"] == pytest.approx(2 / 3, abs=1e-6)
    assert rows(asked)[0]["questions_per_100_posts"] == 100
    assert rows(asked)[0]["paper_llm_share"] == 0.8513
    assert rows(unasked)[0]["llm_share"] == 0


def test_table4_compares_what_the_llm_is_shown() -> None:
    """An LLM that is right only with examples."""
    seen = []

    def variants(run, few_shot, described):
        seen.append((few_shot, described))
        return replay() if few_shot else OneLabelJudge("group")

    table = table4(study(OneLabelJudge(), "deployed"), read_thresholds("0.3"), variants)

    linked = [row for row in rows(table) if row["setting"] == "linked"]
    assert seen == [(False, False), (False, True), (True, False), (True, True)]
    assert [(row["few_shot"], row["label_description"]) for row in linked] == [
        ("no", "no"),
        ("no", "yes"),
        ("yes", "no"),
        ("yes", "yes"),
    ]
    assert [row["f1"] for row in linked] == [pytest.approx(2 / 7, abs=1e-6)] * 2 + [1.0] * 2
    assert [row["paper_f1"] for row in linked] == [0.7796, 0.7754, 0.6451, 0.7304]


def test_table4_does_not_pass_off_a_replay_as_an_ablation() -> None:
    recorded = table4(study(replay(), "deployed"), read_thresholds("0.3"), None)
    endpoint = table4(
        study(OneLabelJudge(replayed=True), "deployed"),
        read_thresholds("0.3"),
        lambda *_: OneLabelJudge(replayed=True),
    )

    assert [row["setting"] for row in rows(recorded)] == [
        "local model alone",
        "LLM alone",
        "linked, as recorded",
    ]
    assert recorded.to_json()["variants"] is False
    assert "One row stands for all four" in recorded.notes[0]
    assert "the rows say nothing about these" in endpoint.notes[0]
