"""What all commands share: error endings, JSON output, consoles and common options."""

import json
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import PlugIn
from harness.cli.streams import discreet
from harness.errors import HarnessError, Interrupted, UsageError, nearest
from harness.limits import LARGEST_SEED, MOST_SECONDS, MOST_WORKERS
from harness.places import check_current_folder, told_fault

INTERRUPTED = 130
NEXT = "next: "
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


class _Option(click.Option):
    """An option that refuses to be given twice with different values, unless it is made to be repeated.

    Click takes the last one without a word.
    """

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser keep all that is given."""
        keeping: Any = _Keeping(parser)
        super().add_to_parser(parser if self.multiple or self.count else keeping, ctx)

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Take the one value that is given; raise `UsageError` for several."""
        if self.name in opts and not (self.multiple or self.count):
            given = list(dict.fromkeys(opts[self.name]))
            if len(given) > 1:
                raise UsageError(f"{self._said(given)}: leave all but one out.")
            opts = {**opts, self.name: given[0]}
        return super().handle_parse_result(ctx, opts, args)

    def _said(self, given: list[Any]) -> str:
        if self.is_flag:
            return f"{' and '.join((self.opts[0], *self.secondary_opts))} contradict one another"
        return f"{max(self.opts, key=len)} takes one value, but got {' and '.join(map(str, given))}"


class _Keeping:
    """A parser's face to an option that is given once: it appends where the option would store."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def add_option(self, *, action: str, **more: Any) -> None:
        self._parser.add_option(action=action.replace("store", "append"), **more)


class Choice(click.Choice[str]):
    """A closed set of words that names the one most like a wrong one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Say what is allowed, and what may be meant."""
        return super().get_invalid_choice_message(value, ctx) + nearest(str(value), self.choices)


class Number(click.FloatRange):
    """A number with two ends; what is no number is within none, which a comparison would not say."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number that a text is."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


option = partial(click.option, cls=_Option)
seed_type = click.IntRange(-LARGEST_SEED, LARGEST_SEED)
data_root_option = option(
    "--data-root",
    type=click.Path(file_okay=False),
    help="Folder that holds the datasets (else HARNESS_DATA).",
)
# The same where a command's own argument is called RUN.
root_option = option(
    "--runs",
    "root",
    type=click.Path(file_okay=False),
    help="Folder of the records (else HARNESS_RUNS, ./runs).",
)
runs_option = option(
    "--runs", type=click.Path(file_okay=False), help="Folder of the records (else HARNESS_RUNS, ./runs)."
)
device_option = option(
    "--device",
    type=Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What to compute on.",
)
storage_option = option(
    "--storage",
    metavar="URL",
    help="SQLAlchemy URL of the studies (else HARNESS_STORAGE, optuna.db beside the runs).",
)
heartbeat_option = option(
    "--heartbeat",
    type=click.IntRange(1, int(MOST_SECONDS)),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Time between heartbeats; a worker that misses four of them counts as dead.",
)
workers_option = option(
    "--workers",
    type=click.IntRange(0, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes on this machine, which share its cores and GPUs; 0 leaves the work to `harness worker`. With "
    "--slurm, its jobs.",
)
timeout_option = option(
    "--timeout",
    type=Number(0, MOST_SECONDS, min_open=True),
    metavar="SECONDS",
    help="Start no further job after this time.",
)
slurm_option = option(
    "--slurm", is_flag=True, help="Submit the work to Slurm as an array of jobs, and return."
)
profile_option = option(
    "--profile",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="YAML file of what a Slurm job asks for: partition, gpus, time, setup, ... (see `harness schema slurm`).",
)
print_option = option(
    "--print", "print_script", is_flag=True, help="Print the script for sbatch, submit nothing."
)
synthetic_option = option(
    "--synthetic", is_flag=True, help="Synthetic twin, tiny CLIP and the preset `tiny`: needs no data."
)
presets_option = option(
    "--preset",
    "presets",
    shell_complete=offering(completing.presets),
    multiple=True,
    help="Named preset or a YAML file; later ones win.",
)
report_option = option(
    "--report", type=PlugIn("reports"), metavar="NAME", help="Make this report at the end."
)
json_option = option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def plain(text: str) -> str:
    """Return text that can be printed, without control sequences and turned directions: names and paths are hostile.

    >>> plain("a\\x1b[31mred\\x1b[0m coat")
    'ared coat'
    """
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode()


def refuse_before(ctx: click.Context, command: str) -> None:
    """Raise `UsageError` for options of a group that stand before one of its commands, which would not see them."""
    for one in ctx.command.params:
        if ctx.get_parameter_source(str(one.name)) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{max(one.opts, key=len)} must stand after the command: `{ctx.command_path} {command} ...`."
            )


def parse_size(text: str) -> tuple[int, int]:
    """Return height and width of an `--image-size`, as 384x128."""
    from harness.config.pixels import read_size

    size = read_size(text)
    if isinstance(size, str) or 0 in size:
        raise UsageError(f"--image-size takes height x width in pixels, as 384x128, but got {text!r}.")
    height, width = size
    return height, width


def printed_command(*words: str, runs: str | None = None) -> str:
    """Return a command that runs as it is printed: in this folder, from a shell that may not know `harness`."""
    place = ["--runs", runs] if runs else []
    return f"{_program()} {shlex.join([*words, *place])}"


def _program() -> str:
    """Return how this program is called: `harness` where the shell finds this very one, else as it was called."""
    called, known = Path(sys.argv[0]), shutil.which("harness")
    if called.name == "harness":
        same = known is not None and Path(known).resolve() == called.resolve()
        return "harness" if same else shlex.quote(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "harness":
        beside = known is not None and Path(known).parent == Path(sys.executable).parent
        return "harness" if beside else f"{shlex.quote(sys.executable)} -m harness"
    return "harness"


def print_json(value: Any) -> None:
    """Print a result as JSON on standard output; null stands for a number that JSON does not have."""
    click.echo(json.dumps(_finite(value), indent=2, default=str, allow_nan=False))


def _finite(value: Any) -> Any:
    """Return a value with None in place of each number that is infinite or not a number."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def run_safely(command: click.Command, debug: bool) -> int:
    """Call a command and return its exit code; no secret is printed meanwhile.

    User mistakes end as one message, with `debug` after their traceback.
    """
    with discreet():
        return _called(command, debug)


def _called(command: click.Command, debug: bool) -> int:
    try:
        check_current_folder()
        code = command(standalone_mode=False, prog_name="harness")
    except Interrupted as stop:
        click.echo(plain(f"Interrupted: {stop}. Run the same command to resume."), err=True)
        _say_next(stop)
        return INTERRUPTED
    except HarnessError as error:
        return _fail(error, str(error), error.exit_code, debug)
    except click.ClickException as error:
        if debug:
            traceback.print_exc()
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as stop:
        click.echo("Interrupted.", err=True)
        _say_next(stop)
        return INTERRUPTED
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:
        fault = told_fault(error)
        if fault is not None:
            return _fail(error, str(fault), fault.exit_code, debug)
        text = f"{type(error).__name__}: {error} (a bug in the harness; --debug shows where)"
        return _fail(error, text, 1, debug)
    return code if isinstance(code, int) else 0


def _fail(error: Exception, text: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    click.echo(f"Error: {plain(text)}", err=True)
    _say_next(error)
    return code


def _say_next(error: BaseException) -> None:
    """Print the commands that the notes of an error name, or of the one that click made it of."""
    for one in (error, error.__cause__):
        for note in filter(lambda text: text.startswith(NEXT), getattr(one, "__notes__", ())):
            click.echo(plain(note), err=True)


class NearestGroup(click.Group):
    """A group that suggests the nearest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest match."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            text = f"No such command {args[0]!r}.{nearest(args[0], self.commands)}"
            raise click.UsageError(text, ctx)
        return super().resolve_command(ctx, args)
