"""What the composition root makes of settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from broker.settings import Settings
from linkner.calibration import DEFAULT_CHECKPOINT, read, write
from linkner.classification import Form
from linkner.detection import BudgetDetector, Detector
from linkner.errors import ConfigurationError
from workers.bootstrap import detectors, question_form


def test_a_post_is_asked_about_as_a_whole_unless_told_otherwise() -> None:
    assert question_form(Settings()) == Form(name="propose")
    assert question_form(Settings(question_form="per-span")) == Form()


def test_the_model_that_comes_along_is_asked_about_within_a_budget() -> None:
    mine = read(DEFAULT_CHECKPOINT)
    assert mine.model is not None
    by_default = detectors(Settings()).of(mine.model)
    assert isinstance(by_default, BudgetDetector)
    assert (by_default.least, by_default.proposes) == (mine.worth(30), True)
    assert detectors(Settings(threshold=0.4)).of(mine.model) == Detector(threshold=0.4)
    assert detectors(Settings()).of("another") == Detector()


def test_a_budget_goes_by_the_calibration_that_is_named(tmp_path: Path) -> None:
    write(tmp_path, replace(read(DEFAULT_CHECKPOINT), model="mine", least={10.0: 0.25}))
    within = detectors(Settings(budget=10, calibration=str(tmp_path))).of("mine")
    assert isinstance(within, BudgetDetector)
    assert within.least == 0.25


def test_the_words_and_examples_of_questions_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("Be brief.\n---\n$context $span $options")
    (tmp_path / "examples").write_text("Ada\tB-person\n\nOslo\tB-location\n")
    files = {"question_template": str(tmp_path / "words"), "question_examples": str(tmp_path / "examples")}
    per_span = Settings(**files, question_form="per-span", question_descriptions=False)
    form = question_form(per_span)
    assert form.template.system == "Be brief."
    assert [example.label for example in form.examples] == ["person", "location"]
    assert not form.described
    with pytest.raises(ConfigurationError, match="takes neither examples nor a template"):
        question_form(Settings(**files))
