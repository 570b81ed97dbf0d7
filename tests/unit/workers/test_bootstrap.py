"""What the composition root makes of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.settings import Settings
from linkner.classification import Form
from linkner.errors import ConfigurationError
from workers.bootstrap import question_form


def test_a_post_is_asked_about_as_a_whole_unless_told_otherwise() -> None:
    assert question_form(Settings()) == Form(name="propose")
    assert question_form(Settings(question_form="per-span")) == Form()


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
