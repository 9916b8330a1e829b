"""`harness completion`: the shell completion script."""

import click

from harness.cli.options import Choice

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL; to use it: eval "$(harness completion bash)"."""
    from click.shell_completion import get_completion_class

    from harness.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "harness", "_HARNESS_COMPLETE").source())
