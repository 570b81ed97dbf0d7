"""Writes requirements.lock: what the project's extras, its build and set-up need, each at one version.

Resolves afresh with pip, which needs the network. Run it as `make lock`, with Python 3.11: versions that
support the oldest Python support the newer one too, which is not so the other way round.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Every package that set-up installs, at one version, for Python 3.11 and 3.12. Made by `make lock`.
# Without hashes: torch has builds for CPU and for CUDA under one version. What the CUDA build brings along
# is named by torch itself, and not here.
"""
OF_CUDA = ("nvidia-", "cuda-", "triton")


def main() -> None:
    """Resolve and write."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("lock: run this with Python 3.11: rm -r .venv && make PYTHON=python3.11 lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = ",".join(project["project"]["optional-dependencies"])
    versions = resolve([f"{ROOT}[{extras}]", *project["build-system"]["requires"], "pip"])
    pins = [
        f"{name}=={version}\n"
        for name, version in sorted(versions.items())
        if name != project["project"]["name"] and not name.startswith(OF_CUDA)
    ]
    (ROOT / "requirements.lock").write_text(HEADER + "".join(pins))
    print(f"lock: {len(pins)} packages")


def resolve(requirements: list[str]) -> dict[str, str]:
    """Name and version of everything that these requirements need, whatever is installed now."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--report", str(report), *requirements], check=True)
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return {normalised(item["name"]): item["version"].partition("+")[0] for item in found}


def normalised(name: str) -> str:
    """A package's name in its one spelling."""
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    main()
