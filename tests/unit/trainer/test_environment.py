from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("given", "found"), [({}, "50000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_threads_spin_for_a_short_time_unless_told_otherwise(given: dict[str, str], found: str) -> None:
    """The OpenMP library reads it when torch is imported: until then it must not be."""
    script = "import sys, os, trainer; print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [found, "False"]
