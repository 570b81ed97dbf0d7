"""The data sets: what is known of each, and what is said where a file is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkner.conll import Sentence
from linkner.errors import ConfigurationError, InputError
from linkner.spans import LabelledSpan, Span
from trainer.experiments.registry import DATA_SETS, SPLITS, find
from trainer.experiments.reported import Reported, reported, reported_in_context, reported_llm_alone

PAPER = DATA_SETS.keys() - {"btc"}


def write(folder: Path, name: str, text: str = "Oslo\tB-GPE\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_paper_s_eight_data_sets_are_there_and_one_more() -> None:
    assert len(PAPER) == 8
    for one in DATA_SETS.values():
        assert one.labels.guideline
        assert one.licence
        assert one.trained_on is None or set(DATA_SETS[one.trained_on].splits) == set(SPLITS)


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_a_missing_file_s_error_says_where_to_get_it_and_in_what_form(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    one = DATA_SETS[name]

    with pytest.raises(InputError) as caught:
        find(folder, split="test")

    for part in (f"{folder}/test.conll is not there", one.title, one.licence, one.source, one.form):
        assert part in str(caught.value)


def test_the_same_is_said_of_a_file_s_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Linguistic Data Consortium"):
        find(tmp_path / "ontonotes5" / "dev.conll", split="test")
    with pytest.raises(InputError, match=r"mine.txt is not there"):
        find(tmp_path / "ontonotes5" / "mine.txt", split="test")


def test_a_folder_gives_the_split_s_file_and_its_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "ontonotes5", "dev.conll")

    found = find(path.parent, split="dev")

    assert (found.path, found.split, found.title) == (path, "dev", "OntoNotes 5.0 dev")
    assert found.data_set is DATA_SETS["ontonotes5"]
    assert found.read() == [Sentence(("Oslo",), (LabelledSpan(Span(0, 1), "GPE"),))]


def test_a_file_is_of_the_set_that_its_folder_is_named_after_or_that_is_named(tmp_path: Path) -> None:
    ours, theirs = write(tmp_path / "wnut17", "dev.conll"), write(tmp_path / "else", "posts.conll")

    assert find(ours, split="test").title == "WNUT'17 dev"
    assert find(theirs, split="test").title == "posts.conll"
    assert find(theirs, split="test", name="btc").title == "Broad Twitter Corpus posts.conll"


def test_ontonotes_is_read_in_the_form_of_conll_2012(tmp_path: Path) -> None:
    word = "nw/made/up 0 0 Oslo NNP (NP*) - - - - (GPE) -"
    write(tmp_path / "ontonotes5", "test.conll", f"#begin document (nw/made/up);\n{word}\n\n#end document\n")

    (sentence,) = find(tmp_path / "ontonotes5", split="test").read()

    assert sentence == Sentence(("Oslo",), (LabelledSpan(Span(0, 1), "GPE"),))


def test_the_tags_of_tweetner_may_be_of_several_schemes(tmp_path: Path) -> None:
    write(
        tmp_path / "tweetner", "test.conll", "IMGID:1\nOff\tO\nto\tO\nOslo\tB-LOC\n\nIMGID:2\nMay\tI-OTHER\n"
    )

    assert [len(one.entities) for one in find(tmp_path / "tweetner", split="test").read()] == [1, 1]


def test_a_set_without_a_split_names_the_one_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "wikigold").mkdir()

    with pytest.raises(InputError, match=r"WikiGold has no dev part.*take the dev part of conll03"):
        find(tmp_path / "wikigold", split="dev")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not the folder of a known data set"):
        find(tmp_path, split="dev")
    with pytest.raises(ConfigurationError, match="there is no data set 'wnut18'"):
        find(tmp_path, split="dev", name="wnut18")


@pytest.mark.parametrize(
    ("name", "method", "threshold"),
    [
        ("wnut17", "evidential", 0.1),
        ("wnut17", "entropy", 0.3),
        ("tweetner", "mc-dropout", 0.6),
        ("jnlpba", "evidential", 0.2),
        ("ontonotes5", "confidence", 0.8),
        ("conll03-typos", "mc-dropout-head", 0.8),
    ],
)
def test_the_paper_s_thresholds(name: str, method: str, threshold: float) -> None:
    assert reported(name, method).threshold == threshold


def test_the_paper_s_figures_agree_between_its_tables() -> None:
    """Its ablation's last row is the linked system of its main table."""
    for name in PAPER:
        linked = reported(name, "evidential").linked_f1
        assert reported_in_context(name, few_shot=True, described=True) in (None, linked)
        assert reported_llm_alone(name) is not None


def test_the_paper_says_nothing_of_other_data() -> None:
    assert reported("btc", "evidential") == reported(None, "evidential") == Reported()
    assert reported_llm_alone("btc") is None
    assert reported_in_context("jnlpba", few_shot=True, described=True) is None


def test_a_file_needs_no_extension(tmp_path: Path) -> None:
    path = tmp_path / "annotated"
    path.write_text("Rome\tB-location\n")

    assert find(path, split="test").path == path
