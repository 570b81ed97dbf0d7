"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from linkner.errors import InputError


@contextmanager
def writing_to(path: str | Path) -> Iterator[None]:
    """An OSError of the block is told as the path that cannot be written. Raises InputError for it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}", got=error.strerror or str(error)) from error


@contextmanager
def replacing(path: str | Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path` when the block ends; after an error all is as it was.

    It is written beside it and renamed. What is no ordinary file, such as /dev/stdout, is written itself.

    Raises:
        InputError: it cannot be written.
    """
    target = Path(path)
    with writing_to(path):
        there = target.exists()
        if there and target.is_dir():
            raise IsADirectoryError(None, "Is a directory")
        if there and not target.is_file():
            with target.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            return
        if there:
            target.open("a").close()  # else a file that may not be written would be replaced
        target = target.resolve()  # a link stays one
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            if there:
                part.chmod(target.stat().st_mode & 0o777)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def check_outputs(*outputs: Path, inputs: Iterable[Path | None] = ()) -> None:
    """Raise InputError where a file that is to be written is another one of the command's, too."""
    taken = {path.resolve() for path in inputs if path is not None}
    for output in outputs:
        if output.resolve() in taken:
            raise InputError(f"{output} is named twice", expected="a file of its own to write to")
        taken.add(output.resolve())
