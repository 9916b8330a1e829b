"""The help of every command fits a terminal of 80 columns, and no line of it is cut off."""

import click
import pytest
from click.testing import CliRunner

from harness.cli.main import cli

WIDTH = 80


def commands(group=cli, path=()):
    """Yield the words of every command and group."""
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from commands(group.get_command(context, name), (*path, name))


def command_of(path):
    """The command or group that is called by words."""
    found = cli
    for word in path:
        found = found.get_command(click.Context(found), word)
    return found


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_fits_the_terminal_and_is_whole(path):
    done = CliRunner().invoke(cli, [*path, "--help"], prog_name="harness", terminal_width=WIDTH)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert not [line for line in lines if len(line) > WIDTH]
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage:")]


@pytest.mark.parametrize(
    "path",
    [path for path in commands() if isinstance(command_of(path), click.Group)],
    ids=" ".join,
)
def test_no_list_of_commands_is_cut_off_on_a_terminal(path):
    # Of a real terminal click leaves the last two columns empty.
    done = CliRunner().invoke(cli, [*path, "--help"], prog_name="harness", terminal_width=WIDTH - 2)
    assert not [line for line in done.output.splitlines() if line.endswith("...") and "Usage:" not in line]
