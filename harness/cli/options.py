"""What all commands share: error endings, JSON output, consoles and common options."""

import json
import re
import sys
from typing import Any

import click

from harness.errors import HarnessError, Interrupted, UsageError, nearest

INTERRUPTED = 130
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)

data_root_option = click.option(
    "--data-root",
    type=click.Path(file_okay=False),
    help="Folder that holds the datasets (else HARNESS_DATA).",
)
runs_option = click.option(
    "--runs", type=click.Path(file_okay=False), help="Folder of the records (else HARNESS_RUNS, ./runs)."
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What to compute on.",
)
storage_option = click.option(
    "--storage",
    metavar="URL",
    help="SQLAlchemy URL of the studies (else HARNESS_STORAGE, optuna.db beside the runs).",
)
heartbeat_option = click.option(
    "--heartbeat",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Time between heartbeats; a worker that misses four of them counts as dead.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Processes on this machine, which share its cores and GPUs; 0 leaves the work to `harness worker`.",
)
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Start no further job after this time.",
)
report_option = click.option("--report", metavar="NAME", help="Make this report at the end.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def plain(text: str) -> str:
    """Return text that can be printed, without control sequences and turned directions: names and paths are hostile.

    >>> plain("a\\x1b[31mred\\x1b[0m coat")
    'ared coat'
    """
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode()


def parse_size(text: str) -> tuple[int, int]:
    """Return height and width of an `--image-size`, as 384x128."""
    found = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    if not found or "0" in found.groups():
        raise UsageError(f"--image-size takes height x width in pixels, as 384x128, but got {text!r}.")
    return int(found[1]), int(found[2])


def print_json(value: Any) -> None:
    """Print a result as JSON on standard output."""
    click.echo(json.dumps(value, indent=2, default=str))


def run_safely(command: click.Command, debug: bool) -> int:
    """Call a command and return its exit code; user mistakes end as one message without a traceback."""
    try:
        code = command(standalone_mode=False, prog_name="harness")
    except Interrupted as stop:
        click.echo(plain(f"Interrupted: {stop}. Run the same command to resume."), err=True)
        return INTERRUPTED
    except HarnessError as error:
        return _fail(error, str(error), error.exit_code, debug)
    except click.ClickException as error:
        if debug:
            raise
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:
        text = f"{type(error).__name__}: {error} (a bug in the harness; --debug shows where)"
        return _fail(error, text, 1, debug)
    return code if isinstance(code, int) else 0


def _fail(error: Exception, text: str, code: int, debug: bool) -> int:
    if debug:
        raise error
    click.echo(f"Error: {plain(text)}", err=True)
    return code


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
