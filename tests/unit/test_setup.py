"""Set-up finds a Python that runs, and does nothing where nothing has changed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ["--constraint", "--requirement", "--no-deps"]
"""How pip is called: for itself, for the lock, for the project."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with bin/setup, whose second half only says that it was reached, and a path/ of commands."""
    for folder in ("bin", "path"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "bin" / "setup", tmp_path / "bin")
    (tmp_path / "bin" / "set_up.py").write_text("import os; print(os.environ['CHOSEN'])")
    (tmp_path / "path" / "dirname").symlink_to(str(shutil.which("dirname")))
    return tmp_path


def command(checkout: Path, name: str, script: str) -> None:
    path = checkout / "path" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def works(name: str) -> str:
    return f'CHOSEN={name} exec "{sys.executable}" "$@"'


def set_up(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(checkout / "path"), **variables}
    return subprocess.run(["/bin/sh", "bin/setup"], cwd=checkout, env=env, capture_output=True, text=True)


def test_a_python_that_is_there_but_does_not_run_is_passed_over(checkout: Path) -> None:
    command(checkout, "python3.11", "echo 'command not found' >&2; exit 127")
    command(checkout, "python3", works("python3"))

    assert set_up(checkout).stdout == "python3\n"


def test_a_python_without_venv_is_passed_over(checkout: Path) -> None:
    command(checkout, "python3.11", f'case "$2" in *ensurepip*) exit 1;; esac; {works("python3.11")}')
    command(checkout, "python3.12", works("python3.12"))

    assert set_up(checkout).stdout == "python3.12\n"


def test_the_variable_names_the_one_python_to_take(checkout: Path) -> None:
    command(checkout, "python3.11", works("python3.11"))
    command(checkout, "mine", works("mine"))

    assert set_up(checkout, PYTHON=str(checkout / "path" / "mine")).stdout == "mine\n"
    assert set_up(checkout, PYTHON="absent").returncode == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [("exit 1", "no Python 3.11 or 3.12 runs"), ('case "$2" in *ensurepip*) exit 1;; esac', "no venv")],
)
def test_what_is_missing_is_said(checkout: Path, script: str, message: str) -> None:
    command(checkout, "python3", script)

    result = set_up(checkout)

    assert result.returncode == 1
    assert message in result.stderr


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bin/set_up.py for a small project; `installed` has the first argument of each call of pip."""
    specification = importlib.util.spec_from_file_location("set_up", ROOT / "bin" / "set_up.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.lock").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("")
    for name, path in {
        "ROOT": ".",
        "VENV": ".venv",
        "STAMP": ".venv/set-up.txt",
        "LOCK": "requirements.lock",
    }.items():
        monkeypatch.setattr(module, name, tmp_path / path)
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    module.installed = []
    monkeypatch.setattr(module, "pip", lambda *arguments: module.installed.append(arguments[0]))
    return module


def test_a_second_set_up_installs_nothing_until_something_changes(module: ModuleType) -> None:
    module.main()
    assert module.installed == STEPS
    module.main()
    assert module.installed == STEPS

    module.LOCK.write_text("a==2\n")
    module.main()

    assert module.installed == 2 * STEPS


def test_a_set_up_that_fails_is_begun_again(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    done = module.pip
    monkeypatch.setattr(module, "pip", lambda *arguments: sys.exit("pip failed"))
    with pytest.raises(SystemExit):
        module.main()
    monkeypatch.setattr(module, "pip", done)

    module.main()

    assert module.installed == STEPS


def test_only_one_set_up_works_on_a_checkout(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    second = threading.Thread(target=module.main)
    waits = threading.Event()
    say = module.say
    module.say = lambda text: (say(text), waits.set() if "waiting" in text else None)

    with module.only_one():
        second.start()
        assert waits.wait(20)
        assert module.installed == []
    second.join(20)

    assert module.installed == STEPS


def test_checking_nothing_is_no_success() -> None:
    done = subprocess.run([ROOT / "bin" / "check"], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "passed" not in done.stdout


def test_the_scripts_can_be_run() -> None:
    assert all(os.access(ROOT / path, os.X_OK) for path in ("bin/setup", "bin/check", ".ci/run"))
