"""Label sets: complete, unambiguous, and replaceable texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linkner.errors import ConfigurationError
from linkner.labels import LABEL_SETS, LabelSet, label_set, read_descriptions
from linkner.spans import OUTSIDE

every_set = pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=LABEL_SETS)


def test_the_sets_have_the_labels_of_their_data() -> None:
    assert {name: one.labels for name, one in LABEL_SETS.items()} == {
        "conll03": ("PER", "LOC", "ORG", "MISC"),
        "ontonotes5": (
            *("PERSON", "NORP", "FAC", "ORG", "GPE", "LOC", "PRODUCT", "EVENT", "WORK_OF_ART", "LAW"),
            *("LANGUAGE", "DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL"),
        ),
        "wnut17": ("person", "location", "group", "corporation", "product", "creative-work"),
        "tweetner": ("PER", "LOC", "ORG", "OTHER"),
        "btc": ("PER", "LOC", "ORG"),
        "jnlpba": ("protein", "DNA", "RNA", "cell_type", "cell_line"),
    }


@every_set
def test_every_label_is_described_once_in_the_guideline(labels: LabelSet) -> None:
    assert set(labels.descriptions) == set(labels.labels)
    lines = labels.guideline.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"- {label}" for label in labels.labels]
    assert all(len(text) > 10 for text in labels.descriptions.values())


@every_set
def test_no_name_stands_for_two_labels(labels: LabelSet) -> None:
    names = [label.casefold() for label in labels.labels]
    names += [name for label in labels.labels for name in labels.synonyms[label]]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() for name in names)


@every_set
def test_class_zero_is_outside(labels: LabelSet) -> None:
    assert labels.classes == (OUTSIDE, *labels.labels)


def test_an_unknown_set_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'wnut16'; expected one of conll03, .*wnut17"):
        label_set("wnut16")


def test_descriptions_by_label_replace_the_built_in_ones() -> None:
    texts = {"PER": "people", "LOC": "places", "ORG": "bodies"}
    assert label_set("btc", descriptions=texts).guideline == "- PER: people\n- LOC: places\n- ORG: bodies"
    assert "people\n" not in label_set("btc").guideline


@pytest.mark.parametrize(
    "descriptions", ["Whole text. \n", {"btc": "Whole text.", "wnut17": "Another."}], ids=["text", "by set"]
)
def test_one_text_may_replace_the_whole_guideline(descriptions: str | dict[str, str]) -> None:
    replaced = label_set("btc", descriptions=descriptions)
    assert replaced.guideline == "Whole text."
    assert replaced.labels == label_set("btc").labels


@pytest.mark.parametrize(
    "descriptions",
    [
        "",
        " ",
        {"btc": ""},
        {},
        {"PER": "people"},
        {"PER": "p", "LOC": "l", "ORG": "o", "MISC": "m"},
        {"wnut17": "Of another set."},
    ],
)
def test_descriptions_that_do_not_fit_are_refused(descriptions: str | dict[str, str]) -> None:
    with pytest.raises(
        ConfigurationError, match="expected a text under 'btc', or one for each of PER, LOC, ORG"
    ):
        label_set("btc", descriptions=descriptions)


def test_descriptions_come_from_a_json_file(tmp_path: Path) -> None:
    file = tmp_path / "descriptions.json"
    file.write_text(json.dumps({"btc": "Où ?"}), encoding="utf-8")
    assert label_set("btc", descriptions=read_descriptions(file)).guideline == "Où ?"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"PER": 1}', b'{"PER": " "}', b"{}", b'"\xff"'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "descriptions.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="expected a JSON object of texts"):
        read_descriptions(file)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.json"):
        read_descriptions(tmp_path / "nowhere.json")
