"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator

import click

from docs.generate.markdown import code, page, table, text
from harness.cli.main import cli

_INTRODUCTION = (
    "`harness COMMAND --help` shows the same in the terminal. Exit codes: 0 done; 1 failed; 2 wrong use or missing "
    "data; 130 interrupted."
)


def command_line() -> str:
    """Return the page: every command with its arguments, options and examples."""
    shared = _options(click.Context(cli, info_name="harness"), cli)
    return page("Command line", _INTRODUCTION, "Options before the command:", shared, *_commands())


def _commands() -> Iterator[str]:
    root = click.Context(cli, info_name="harness")
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        yield from _described(click.Context(command, info_name=name, parent=root), command, 2)


def _described(context: click.Context, command: click.Command, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}"
    yield from _help(command.help or "")
    if not isinstance(command, click.Group):
        usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
        yield code(f"{context.command_path} {usage}".strip())
    if options := _options(context, command):
        yield options
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _described(click.Context(inner, info_name=name, parent=context), inner, level + 1)


def _help(written: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; what click is told not to fold is shown as it stands."""
    for part in written.split("\n\n"):
        lines = part.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            yield "\n".join(["```text", *(line.strip() for line in lines[1:]), "```"])
        elif lines:
            yield text(part)


def _options(context: click.Context, command: click.Command) -> str:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and not getattr(parameter, "hidden", False):
            rows.append((code(record[0]), text(record[1])))
    return table(("option", "what it does"), rows) if rows else ""
