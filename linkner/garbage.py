"""How often Python looks for garbage in cycles."""

from __future__ import annotations

import gc

_THRESHOLDS = (50_000, 20, 50)


def collect_seldom() -> None:
    """Look for cycles after 50,000 new objects, not after some hundred.

    Imports make many objects and hardly any garbage, but each collection walks through all that there is: a
    sixth of a start went there. What a worker makes afterwards is freed by its count of references.
    """
    gc.set_threshold(*_THRESHOLDS)
