"""Folders for servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder that a server under another account can walk to.

    pytest's own folders are no such place: each new run of pytest closes them to other accounts again, and so
    takes a running PostgreSQL's data away where the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="linkner-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
