"""The commands are found by name, and no command loads the modules of the others."""

import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from workers.cli import COMMANDS, app

runner = CliRunner()


@pytest.mark.parametrize("module", COMMANDS)
def test_each_module_adds_the_commands_that_it_is_listed_with(module: str) -> None:
    own = typer.Typer()
    import_module(f"workers.cli.{module}").register(own)
    assert tuple(typer.main.get_group(own).commands) == COMMANDS[module]


def test_help_lists_all_commands_and_says_what_it_is() -> None:
    shown = runner.invoke(app, ["--help"]).output
    assert "Named entities" in shown
    assert all(command in shown for commands in COMMANDS.values() for command in commands)


def test_an_unknown_command_is_an_error_that_names_it() -> None:
    result = runner.invoke(app, ["submitt"])
    assert result.exit_code == 2
    assert "submitt" in result.output


def test_a_worker_loads_no_other_command() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from workers.cli import app; "
        "assert CliRunner().invoke(app, ['worker', '--help']).exit_code == 0; "
        "print(*sorted(name for name in sys.modules if name.startswith('workers.cli.')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["workers.cli.roles"]
