"""The recognition service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from linkner.spans import Recognition


class RecogniserClient(Protocol):
    """The recognition service."""

    def recognise(self, texts: Sequence[str]) -> tuple[str, list[Recognition]]:
        """The model's name and one recognition for each text, in order.

        Raises UnavailableError (busy or down: try later), RejectedError (this chunk will never pass) or
        CrashedError (the service failed at it).
        """
