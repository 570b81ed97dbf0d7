"""Files of JSON lines, read line by line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from linkner.errors import InputError


def read_lines(path: Path, *, limit: int | None = None) -> Iterator[bytes]:
    """The lines of a file that are not blank, at most `limit`. Raises as `read_numbered_lines` does."""
    return islice((line for _, line in read_numbered_lines(path)), limit)


def read_numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line of a file that is not blank, with its number from 1; gzipped where the name ends in .gz.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        got = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"the file {path} cannot be read", got=got) from error
