"""What was given on the command line, as opposed to defaults and variables of the environment."""

import click


def set_by_hand() -> list[str]:
    """Return the options of this command that were given, by their names on the command line."""
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name and context.get_parameter_source(parameter.name) == given
    ]
