"""The `linkner` command. Each module here adds its commands, and is imported when one of them is called."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from linkner.errors import LinknerError
from linkner.garbage import collect_seldom

COMMANDS = {
    "demo": ("demo",),
    "up": ("up",),
    "documents": ("submit", "results", "status"),
    "model": (
        "train",
        "average",
        "label",
        "evaluate",
        "ceiling",
        "calibrate",
        "extract",
        "serve",
        "experiments",
    ),
    "replies": ("replies",),
    "typos": ("typos",),
    "chaos": ("chaos",),
    "dead": ("dead",),
    "erase": ("erase",),
    "keys": ("keys",),
    "cache": ("cache",),
    "cost": ("cost",),
    "batches": ("batches",),
    "limits": ("limits",),
    "settings": ("settings",),
    "simulate": ("simulate-llm",),
    "roles": ("gateway", "relay", "batcher", "worker", "migrate"),
}
"""The names of the commands by the module that adds them."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MARKUP: Final = "markdown"  # Rich's own would swallow `[default: …]`

_MODULES = {command: module for module, commands in COMMANDS.items() for command in commands}


class _Lazy(TyperGroup):
    """A worker that starts again in the middle of a stream waits for none of the other commands' imports."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return [*_MODULES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in _MODULES:
            return None
        own = typer.Typer(rich_markup_mode=_MARKUP)
        import_module(f"{__name__}.{_MODULES[cmd_name]}").register(own)
        return typer.main.get_group(own).commands[cmd_name]


app = typer.Typer(
    cls=_Lazy,
    name="linkner",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
    add_completion=False,
)


@app.callback()
def _all() -> None:
    """Named entities in social media streams: a local model for the easy spans, an LLM for the others."""


def main() -> None:
    """Run the command; an error that we raise on purpose is one line on stderr and exit code 2.

    So is no more room where standard output goes.
    """
    collect_seldom()
    try:
        app()
    except LinknerError as error:
        _end(error)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in its buffer
        _end(f"cannot write; got {error.strerror}")


def _end(problem: object) -> NoReturn:
    print(f"linkner: {problem}", file=sys.stderr)  # noqa: T201
    sys.exit(2)
