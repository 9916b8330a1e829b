"""The `harness` command: a group that imports a subcommand only when it is called."""

import os
import signal
import sys
from importlib import import_module
from types import FrameType

import click

from harness import __version__
from harness.cli.options import option, run_safely
from harness.cli.streams import outlive_readers
from harness.errors import nearest
from harness.paths import INCLUDE, included

COMMANDS = {
    "demo": ("harness.cli.commands.demo:demo", "Compare, report and search on a synthetic twin."),
    "run": ("harness.cli.commands.run:run", "Train and test one method on one dataset."),
    "evaluate": ("harness.cli.commands.evaluate:evaluate", "Test a trained run on other datasets."),
    "import": (
        "harness.cli.commands.import_:import_checkpoint",
        "Turn a checkpoint that authors released into a run.",
    ),
    "score": (
        "harness.cli.commands.score:score",
        "Score another system's similarities or embeddings.",
    ),
    "runs": ("harness.cli.commands.runs:runs", "List, show, resume, tag and delete recorded runs."),
    "sweep": ("harness.cli.commands.sweep:sweep", "Search hyper-parameters with Optuna."),
    "suite": ("harness.cli.commands.suite:suite", "Run whole tables: methods x datasets x seeds."),
    "worker": ("harness.cli.commands.worker:worker", "Work on a sweep or suite, from any machine."),
    "compare": ("harness.cli.commands.compare:compare", "Test whether one result is better than another."),
    "check": (
        "harness.cli.commands.check:check",
        "Hold results to the figures expected of them.",
    ),
    "plan-seeds": (
        "harness.cli.commands.plan_seeds:plan_seeds",
        "Count the seeds that it takes to see a difference.",
    ),
    "report": (
        "harness.cli.commands.report:report",
        "Make tables, figures and a notebook from tracked runs.",
    ),
    "probe": ("harness.cli.commands.probe:probe", "Measure what a trained run needs of its layers."),
    "search": ("harness.cli.commands.search:search", "Find images by a description, with a trained run."),
    "board": ("harness.cli.commands.board:board", "Check and build a board of bundles as a site."),
    "ui": ("harness.cli.commands.ui:ui", "Show the tracked runs in MLflow's UI."),
    "data": ("harness.cli.commands.data:data", "Describe, check, make and cache datasets."),
    "methods": ("harness.cli.commands.methods:methods", "List, count and test methods."),
    "schema": ("harness.cli.commands.schema:schema", "Write JSON schemas of YAML files for editors."),
    "pretrain": (
        "harness.cli.commands.pretrain:pretrain",
        "Train the tiny CLIP that ships with the harness.",
    ),
    "doctor": ("harness.cli.commands.doctor:doctor", "Check versions, devices, stores, weights and data."),
    "completion": ("harness.cli.commands.completion:completion", "Print the shell completion script."),
}


class LazyGroup(click.Group):
    """Knows its commands by name and help line, and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None for an unknown one."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest match."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"No such command {args[0]!r}.{nearest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help lines without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
@option("--debug", is_flag=True, help="Show the traceback of an error.")
@option("-q", "--quiet", is_flag=True, help="No progress, only results.")
@option(
    "--include",
    multiple=True,
    metavar="DIR",
    help="Folder with methods/, datasets/ or reports/ of your own (else HARNESS_INCLUDE).",
)
@click.pass_context
def cli(ctx: click.Context, debug: bool, quiet: bool, include: tuple[str, ...]) -> None:
    """Train, select, test and compare CLIP adaptations for text-based person retrieval.

    \b
    Start here:  harness demo
                 harness run --method cskt --dataset icfg --synthetic
    Exit codes:  0 done; 1 failed; 2 wrong use or missing data; 130 interrupted.
    """
    if include:
        # In the environment, so that every process that is started finds them, too.
        os.environ[INCLUDE] = os.pathsep.join(os.path.abspath(folder) for folder in include)
    included()
    ctx.obj = {"debug": debug, "quiet": quiet}


def main() -> None:
    """Run the command line; errors end as one message and an exit code, SIGTERM and SIGHUP like Ctrl-C.

    A signal that the process was started to ignore, as `nohup` does with SIGHUP, stays ignored.
    """
    outlive_readers()
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is not signal.SIG_IGN:
            signal.signal(sign, _interrupt)
    code = run_safely(cli, debug="--debug" in sys.argv[1:])
    if "torch" in sys.modules:
        from harness.compute.distributed import leave

        leave()
    sys.exit(code)


def _interrupt(sign: int, frame: FrameType | None) -> None:
    # SIGHUP comes from the terminal and from the shell: the second must not disturb the end.
    if sign == signal.SIGHUP:
        signal.signal(sign, signal.SIG_IGN)
    raise KeyboardInterrupt
