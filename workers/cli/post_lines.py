"""Posts from lines of text or JSON, for commands that read them from standard input."""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import Any

import typer

from linkner.errors import InputError

_READ = 1 << 16  # bytes at a time: what a pipe holds


class PostLines:
    """Posts of lines; a line that cannot be used is reported on stderr, counted and left out."""

    def __init__(self) -> None:
        self._read = 0
        self.bad = 0

    def posts(self, lines: Iterable[bytes]) -> Iterator[tuple[dict[str, Any], str]]:
        """(what identifies it, text) of each post in further lines; empty lines are none."""
        for line in lines:
            self._read += 1
            if self._read == 1:
                line = line.removeprefix(BOM_UTF8)
            if not line.strip():
                continue
            try:
                yield _post(line)
            except InputError as error:
                self.bad += 1
                typer.echo(f"line {self._read}: {error}", err=True)


def at_hand(stream: BufferedReader, *, most: int) -> Iterator[list[bytes]]:
    """The lines of a stream, `most` at a time or as many as are there: nobody waits for the next one."""
    rest = b""
    while read := stream.read1(_READ):
        *lines, rest = (rest + read).split(b"\n")
        yield from (lines[begin : begin + most] for begin in range(0, len(lines), most))
    if rest:
        yield [rest]


def _post(line: bytes) -> tuple[dict[str, Any], str]:
    """A JSON object's `id` and `text`, or the whole line. Raises InputError."""
    try:
        text = line.decode("utf-8").rstrip("\r\n")
        if not text.lstrip().startswith("{"):
            return {}, text
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", got=f"byte 0x{line[error.start]:02x} at {error.start + 1}") from error
    except (ValueError, RecursionError) as error:
        hint = "a post that begins with { must be given as JSON"
        raise InputError("begins like a JSON object but is none", got=str(error), hint=hint) from error
    if not isinstance(value.get("text"), str):
        raise InputError("a post needs a text", expected='{"text": "…"}', got=text[:80])
    return {"id": value["id"]} if "id" in value else {}, value["text"]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(digits: str) -> float:
    """An id such as 1e999 could not be written as JSON again."""
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)
