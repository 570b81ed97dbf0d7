"""Forms whose words and examples come from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkner.classification import Form, ask_at_once
from linkner.classification.form_files import read_form
from linkner.errors import ConfigurationError, InputError
from linkner.labels import label_set
from linkner.spans import Span

WNUT17 = label_set("wnut17")
LINES = (
    "Ada\tB-person\nsings\tO\n\nZork\tB-group\nplay\tO\n\n"
    "Oslo\tB-location\nis\tO\ncold\tO\n\nUlm\tB-location\n"
)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "examples.conll"
    path.write_text(LINES)
    return path


def test_without_files_it_is_the_form_by_its_name() -> None:
    assert read_form("packed", label_set=WNUT17) == Form(name="packed")
    assert read_form("per-span", label_set=WNUT17, described=False) == Form(described=False)


def test_random_examples_are_one_of_each_label_by_seed(examples: Path) -> None:
    forms = [read_form("per-span", label_set=WNUT17, examples=examples, seed=seed) for seed in range(6)]
    assert {tuple(one.label for one in form.examples) for form in forms} == {("person", "location", "group")}
    assert len({form.examples for form in forms}) == 2
    assert forms[0] == read_form("per-span", label_set=WNUT17, examples=examples, seed=0)


def test_examples_by_overlap_are_chosen_for_each_post(examples: Path) -> None:
    form = read_form("per-span", label_set=WNUT17, examples=examples, by="overlap")
    assert (len(form.pool), form.examples) == (4, ())
    asked = ask_at_once("so cold in Bergen", [Span(11, 17)], form=form, label_set=WNUT17)
    assert '"Oslo is cold"' in asked.prompt.user
    assert '"Ulm"' not in asked.prompt.user


def test_what_does_not_fit_is_refused(examples: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"label set btc lacks.*got group, location, person"):
        read_form("per-span", label_set=label_set("btc"), examples=examples)
    with pytest.raises(ConfigurationError, match="takes neither examples nor a template"):
        read_form("packed", label_set=WNUT17, examples=examples)
    with pytest.raises(InputError, match="cannot read"):
        read_form("per-span", label_set=WNUT17, examples=tmp_path / "missing.conll")
    (tmp_path / "empty.conll").write_text("")
    with pytest.raises(InputError, match="nothing to draw examples from"):
        read_form("per-span", label_set=WNUT17, examples=tmp_path / "empty.conll")
