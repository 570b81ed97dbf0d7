"""Templates of the question about one span, from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkner.classification import Template, ask_about
from linkner.errors import ConfigurationError
from linkner.labels import label_set
from linkner.spans import Span

WNUT17 = label_set("wnut17")
WORDS = "Labels:\n$descriptions\n$examples\n---\nIn $context, what is $span? ($options; $$1 a word)\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "template.txt"


def test_a_file_replaces_the_words(path: Path) -> None:
    path.write_text(WORDS)
    prompt = ask_about("$options in Oslo", Span(12, 16), WNUT17, template=Template.read(path))
    assert prompt.system == f"Labels:\nEntity types:\n{WNUT17.guideline}"
    assert prompt.user.startswith('In "$options in Oslo", what is "Oslo"? (person; location;')
    assert prompt.user.endswith("Non-entity; $1 a word)")
    assert prompt.version != ask_about("Oslo", Span(0, 4), WNUT17).version


def test_the_constant_part_may_do_without_placeholders(path: Path) -> None:
    path.write_text("Be brief.\n---\n$context $span $options")
    assert ask_about("Oslo", Span(0, 4), WNUT17, template=Template.read(path)).system == "Be brief."


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("no border: $context $span $options", "no template"),
        ("$context\n---\n$context $span $options", r"constant part.*got \$context"),
        ("costs $ 5\n---\n$context $span $options", "a dollar sign that begins no placeholder"),
        ("a\n---\n$context $span", r"lacks a placeholder.*got \$context, \$span"),
        ("a\n---\n$context $span $options $examples", r"got \$context, \$examples, \$options, \$span"),
        ("a\n---\n", "got none"),
    ],
)
def test_what_is_no_template_is_refused(path: Path, words: str, problem: str) -> None:
    path.write_text(words)
    with pytest.raises(ConfigurationError, match=problem):
        Template.read(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read a template from"):
        Template.read(tmp_path)
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="cannot read a template from"):
        Template.read(tmp_path / "latin")
