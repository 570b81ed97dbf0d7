"""What a person meets first is there and true: the licence, the commands of the README, a clean tree."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SKIPPED = {
    ".git",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
    "build",
}
FORBIDDEN = re.compile("|".join([r"pypi\.org", "python" + "hosted", "/" + "work/", "/" + "root/"]))


def text_files() -> list[Path]:
    """The project's files that are text, wherever they come from: a checkout or an archive."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.endswith(".egg-info")]
        found += [Path(folder, name) for name in names if name not in SKIPPED]  # a worktree's .git is a file
    return [path for path in found if path.is_file() and b"\0" not in path.read_bytes()[:8_000]]


def test_the_licence_is_the_one_that_the_package_names() -> None:
    licence = (ROOT / "LICENSE").read_text()

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_nothing_speaks_of_one_machine_or_one_package_host() -> None:
    texts = {path: path.read_text(errors="replace") for path in text_files()}

    assert (ROOT / "README.md") in texts
    assert [str(path) for path, text in texts.items() if FORBIDDEN.search(text)] == []


def test_the_commands_of_the_readme_are_in_the_makefile_and_come_first() -> None:
    commands = re.findall(r"^(make \w+)", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert commands[:2] == ["make demo", "make test"]
    for command in commands:
        assert subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True).returncode == 0


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
