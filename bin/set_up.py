"""Makes .venv ready for this checkout; needs only the standard library. Run it as bin/setup.

Installs what requirements.lock names, then the project itself. What was installed is written down in the
virtual environment: while that is current, nothing is done and no network is needed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.txt"
LOCK = ROOT / "requirements.lock"


def main() -> None:
    """Bring .venv up to date, one process at a time."""
    with only_one():
        wanted = "\n".join([str(ROOT), LOCK.read_text(), (ROOT / "pyproject.toml").read_text()])
        if runs(PYTHON) and STAMP.exists() and STAMP.read_text() == wanted:
            return
        if not runs(PYTHON):
            say(f"creating .venv with Python {sys.version.split()[0]} ({sys.executable})")
            venv.create(VENV, clear=True, with_pip=True)
        say("installing requirements.lock; the first time this takes minutes and some 2 GB of disk")
        pip("--constraint", str(LOCK), "pip")  # an old one cannot build every package
        pip("--requirement", str(LOCK))
        say("installing the project")
        pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        STAMP.write_text(wanted)
        say("ready")


@contextmanager
def only_one() -> Iterator[None]:
    """Wait until no other set-up works on this checkout; the system frees the lock of a killed one."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def runs(python: Path) -> bool:
    """Whether this Python is there, runs, and is one that the project supports."""
    check = "import pip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))"
    return python.exists() and subprocess.run([python, "-c", check], capture_output=True).returncode == 0


def pip(*arguments: str) -> None:
    """Run pip in .venv: with its progress on a terminal, with its errors alone elsewhere."""
    quiet = [] if sys.stdout.isatty() else ["-qq"]
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *quiet]
    if subprocess.run([*command, *arguments], cwd=ROOT).returncode:
        sys.exit("setup: pip failed; its error is above. What it has fetched is kept: run the same again")


def say(text: str) -> None:
    """Tell what is being done."""
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    main()
