"""The commands are found by name, and no command loads the modules of the others."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from workers.cli import COMMANDS, app

runner = CliRunner()


def walk(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group, with the words that call it."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from walk(command.get_command(None, name), *path, name)


EVERY = dict(walk(typer.main.get_group(app)))


@pytest.mark.parametrize("module", COMMANDS)
def test_each_module_adds_the_commands_that_it_is_listed_with(module: str) -> None:
    own = typer.Typer()
    import_module(f"workers.cli.{module}").register(own)
    assert tuple(typer.main.get_group(own).commands) == COMMANDS[module]


def test_help_lists_all_commands_and_says_what_it_is() -> None:
    shown = runner.invoke(app, ["--help"]).output
    assert "Named entities" in shown
    assert all(command in shown for commands in COMMANDS.values() for command in commands)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_shows_all_that_is_written_for_it_and_an_example(path: tuple[str, ...]) -> None:
    def plain(text: str) -> str:
        return " ".join(re.sub(r"[`│]", "", text).split())

    shown = plain(runner.invoke(app, [*path, "--help"], env={"COLUMNS": "500"}).output)
    command = EVERY[path]
    written = [plain(one) for one in (command.help, *(option.help for option in command.params)) if one]
    assert [one for one in written if one not in shown] == []
    assert re.search(rf"Examples?: .*linkner {' '.join(path)}\b", shown)
    assert all(text.count("[default") <= 1 for text in shown.split(" --"))


def test_an_unknown_command_is_an_error_that_names_it() -> None:
    result = runner.invoke(app, ["submitt"])
    assert result.exit_code == 2
    assert "submitt" in result.output


def test_no_room_for_what_is_printed_is_one_line() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "workers.cli", "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"linkner: cannot write; got No space left on device\n")


def test_a_worker_loads_no_other_command() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from workers.cli import app; "
        "assert CliRunner().invoke(app, ['worker', '--help']).exit_code == 0; "
        "print(*sorted(name for name in sys.modules if name.startswith('workers.cli.')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["workers.cli.roles"]
