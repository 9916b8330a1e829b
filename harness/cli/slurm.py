"""What `--slurm` does: a study's work as an array of Slurm jobs, and what Slurm says of them."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import time
from typing import Any

import click
from click.core import ParameterSource

from harness.cli.layout import table
from harness.cli.options import plain, print_json, printed_command
from harness.errors import UsageError, listed, many
from harness.queue import slurm
from harness.queue.slurm_profile import Profile, load_profile
from harness.queue.slurm_script import PATIENCE, Batch
from harness.queue.storage_place import VARIABLE
from harness.queue.work_setup import WorkSetup
from harness.secrets import without_secrets

_OURS = ("slurm", "profile", "print_script")
# The jobs get these in another way, or not at all.
_NOT_PASSED = (*_OURS, "workers", "runs", "storage", "as_json")


def asks_slurm(options: Mapping[str, Any]) -> bool:
    """Whether the work goes to Slurm; raise `UsageError` for options of Slurm without `--slurm`."""
    for name, said in (("profile", "--profile"), ("print_script", "--print")):
        if options.get(name) and not options.get("slurm"):
            raise UsageError(f"{said} belongs to --slurm: add it.")
    return bool(options.get("slurm"))


def submit_study(study: str, setup: WorkSetup, options: Mapping[str, Any], left: int, look: str) -> int:
    """Submit a study's work, or print the script that would be; return the exit code.

    Args:
        study: its name in the storage.
        setup: where it works.
        options: of the command that was called.
        left: how many jobs the study has for workers: more of Slurm's would wait for nothing.
        look: the command, behind `harness`, that shows the study's state.
    """
    profile = load_profile(Path(options["profile"]) if options["profile"] else None)
    asked = _jobs(options, profile)
    batch = _batch(study, setup, profile, min(asked, max(left, 1)))
    script = batch.script()
    _warn(setup, batch, asked)
    batch.logs.mkdir(parents=True, exist_ok=True)
    if options["print_script"]:
        click.echo(script, nl=False)
        return 0
    if there := slurm.under_way(slurm.jobs_of(study, setup.root, setup.storage)):
        raise UsageError(
            f"Slurm has jobs of {study} already: {listed(there)}. They resume by themselves; to start anew, scancel "
            "them first."
        )
    job = slurm.submit(script, {**os.environ, VARIABLE: setup.url})
    if options["as_json"]:
        print_json({"study": study, "job": job, "jobs": batch.jobs, "name": batch.name, "logs": batch.logs})
        return 0
    click.echo(
        plain(f"submitted {study} to Slurm as job {job}: {many(batch.jobs, 'worker')}, logs in {batch.logs}")
    )
    click.echo(plain(f"next: {look}"))
    return 0


def show_jobs(jobs: Sequence[Mapping[str, str]]) -> None:
    """Print what Slurm says of a study's jobs; nothing where it knows none."""
    if jobs:
        rows = [[one[key] for key in slurm.COLUMNS] for one in jobs]
        table("in Slurm", slurm.COLUMNS, rows, text=("job", "state", "where"), leaving=("limit", "time"))


def command_on_study(*words: str, taken: Sequence[str] = ()) -> str:
    """Return a command on the study, with those options of the one that was called whose names it has taken, too."""
    context = click.get_current_context()
    runs, storage = context.params["runs"], context.params["storage"]
    if storage and without_secrets(storage) == storage:
        words = (*words, f"--storage={storage}")
    own = [name for name in taken if name not in _NOT_PASSED]
    return printed_command(*words, *_options(context, own), runs=runs)


def _jobs(options: Mapping[str, Any], profile: Profile) -> int:
    """Return how many jobs are asked for: by `--workers`, else by the profile."""
    source = click.get_current_context().get_parameter_source("workers")
    if source is not ParameterSource.COMMANDLINE:
        return profile.jobs
    if not options["workers"]:
        raise UsageError("With --slurm, --workers says how many jobs there are: at least 1.")
    return int(options["workers"])


def _warn(setup: WorkSetup, batch: Batch, asked: int) -> None:
    """Say on standard error what is fewer than asked, and what may not work on several machines."""
    if asked > batch.jobs:
        click.echo(f"{many(batch.jobs, 'job')} in place of {asked}: there is no work for more.", err=True)
    if setup.url.startswith("sqlite") and batch.jobs > 1 and batch.profile.node is None:
        click.echo(
            plain(
                f"warning: the studies are in an SQLite file, which is safe for the workers of one machine only, and "
                f"{batch.jobs} jobs may run on several. Set {VARIABLE} to the URL of a PostgreSQL server, or `node: "
                "NAME` in the profile, or --workers 1."
            ),
            err=True,
        )


def _batch(study: str, setup: WorkSetup, profile: Profile, jobs: int) -> Batch:
    context, root = click.get_current_context(), setup.root.resolve()
    passed = [str(one.name) for one in context.command.params if one.name not in _NOT_PASSED]
    places = [f"--runs={root}", f"--device={setup.device}"]
    if setup.data_root:
        places.append(f"--data-root={Path(setup.data_root).resolve()}")
    if setup.shard:
        places.append(f"--shard={setup.shard}")
    called = context.command_path.split()[1:]
    return Batch(
        name=slurm.name_of(study, setup.root, setup.storage),
        jobs=jobs,
        leader=[*called, f"--runs={root}", *_options(context, passed), *_arguments(context)],
        helper=["worker", *places, f"--wait={PATIENCE}", f"--since={int(time())}", "--", study],
        folder=Path.cwd(),
        logs=root / "slurm",
        profile=profile,
        storage=setup.url,
        python=sys.executable,
    )


def _options(context: click.Context, names: Sequence[str]) -> Iterator[str]:
    """Yield the options of these names as they were given."""
    for one in context.command.params:
        name = str(one.name)
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not given or name not in names or not isinstance(one, click.Option):
            continue
        value, said = context.params[name], max(one.opts, key=len)
        if one.is_flag:
            yield said if value else max(one.secondary_opts, key=len)
        else:
            yield from (f"{said}={text}" for text in (value if one.multiple else [value]))


def _arguments(context: click.Context) -> list[str]:
    """Return the arguments behind `--`, so that none is read as an option."""
    names = [str(one.name) for one in context.command.params if isinstance(one, click.Argument)]
    return ["--", *(str(context.params[name]) for name in names)] if names else []
