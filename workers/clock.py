"""The system's clock, the real side of the Clock port."""

from __future__ import annotations

import time


class SystemClock:
    """Monotonic time in seconds, and real sleep."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
