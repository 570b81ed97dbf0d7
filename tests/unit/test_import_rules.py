"""The import rules hold, and each one would notice a breach: it is planted in a copy of the source."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("linkner", "broker", "workers", "trainer")
LINT = (str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

BREACHES = [
    ("layers", "linkner/text.py", "import broker.settings"),
    ("layers", "broker/settings.py", "import workers.ports"),
    ("layers", "trainer/__init__.py", "import workers.ports"),
    ("no-cycles", "workers/ports/store.py", "import workers.bootstrap"),
    ("pure-core", "linkner/scoring.py", "import redis"),
    ("light-workers", "broker/settings.py", "import torch"),
    (
        "light-workers",
        "workers/store/repository.py",
        "def late():\n    import linkner.recognition.recogniser",
    ),
    ("light-workers", "linkner/spans.py", "import transformers"),
    ("light-core", "linkner/text.py", "import linkner.recognition.recogniser"),
    ("light-core", "linkner/__init__.py", "import linkner.recognition"),
    ("trainer-alone", "trainer/__init__.py", "import sqlmodel"),
    ("handlers-and-ports", "workers/handlers/posts.py", "import fastapi"),
    ("handlers-and-ports", "workers/ports/store.py", "import workers.store.tables"),
    ("one-command", "workers/cli/up.py", "def late():\n    import trainer.training"),
    ("one-command", "workers/worker.py", "import linkner.recognition"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages' modules and of the rules."""
    for source in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        copy = tmp_path / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LINT, *arguments], cwd=folder, capture_output=True, text=True, timeout=200)


def test_the_rules_hold() -> None:
    result = lint(ROOT)

    assert result.returncode == 0, result.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize(("contract", "module", "breach"), BREACHES)
def test_a_breach_is_noticed(tree: Path, contract: str, module: str, breach: str) -> None:
    with (tree / module).open("a") as file:
        file.write(f"\n\n{breach}\n")

    result = lint(tree, "--contract", contract)

    assert result.returncode == 1
    assert "0 kept, 1 broken" in result.stdout


def test_every_contract_is_shown_to_notice_a_breach() -> None:
    assert {contract for contract, _, _ in BREACHES} == {contract["id"] for contract in CONTRACTS}


def test_the_rule_on_the_light_core_names_all_its_modules() -> None:
    [contract] = [contract for contract in CONTRACTS if contract["id"] == "light-core"]
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "linkner").rglob("*.py")]
    modules = {".".join(path.parts).removesuffix(".__init__") for path in paths}

    assert set(contract["source_modules"]) == {
        module for module in modules if not module.startswith("linkner.recognition")
    }


def test_importing_all_of_the_workers_loads_no_model_library() -> None:
    """The linter does not look into other people's packages; the interpreter does."""
    packages = [ROOT / name for name in ("linkner", "broker", "workers")]
    files = [path.relative_to(ROOT) for package in packages for path in package.rglob("*.py")]
    elsewhere = {"recognition", "migrations", "__main__.py"}  # run with torch, by alembic, by python -m
    modules = [".".join(path.with_suffix("").parts) for path in files if not elsewhere & {*path.parts}]
    program = f"""
import importlib, sys
for module in {modules}:
    importlib.import_module(module)
print(sorted({{"torch", "transformers", "ray", "trainer"}} & sys.modules.keys()))
"""
    command = [sys.executable, "-c", program]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)

    assert result.stdout.strip() == "[]", result.stderr
