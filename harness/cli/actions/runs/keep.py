"""Delete, archive, restore, tag and note runs, and prune what they left, as the options say."""

import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.layout import folded, paragraph, size
from harness.cli.options import plain, print_json
from harness.errors import UsageError, listed, many
from harness.files import Busy, is_free, locked
from harness.paths import cache_root, runs_root
from harness.record import Record, RunFolder, all_runs, find_run, readable
from harness.record.marks import disk_bytes, parse_note, parse_tag, read_marks
from harness.run.several_seeds import groups
from harness.track.keeping import (
    archive_run,
    delete_run,
    leftovers,
    note_run,
    restore_run,
    tag_run,
)
from harness.track.tags import SUITE

Found = list[tuple[RunFolder, Record]]
# What only training needs, and a finished run whose process was killed at the very end may still have.
_WORKING = ("checkpoint.pt", "selected-*.safetensors", "oracle-*.safetensors")
# Stores of decoded images, outputs of frozen towers, embeddings of searched galleries: all made again from the data.
_CACHES = ("images/*.images", "frozen/*.rows", "galleries/*.safetensors")
_UNUSED_SECONDS = 24 * 3600.0


def delete(names: Sequence[str], root: str | None, *, yes: bool, only_here: bool, as_json: bool) -> None:
    """Delete runs once a person confirmed it; name what refers to them."""
    found = _named(names, root)
    lines = [f"{record.name}: {line}" for _, record in found for line in _referring(record, root)]
    for line in lines:
        _tell(line)
    freed = sum(disk_bytes(folder) for folder, _ in found)
    if not yes:
        _confirm(f"Delete {listed([record.name for _, record in found])}, {size(freed)}, for ever?")
    for folder, record in found:
        delete_run(folder, record, only_here=only_here)
    _say(found, "deleted", {}, as_json, {"freed": freed, "referring": lines})


def change(names: Sequence[str], root: str | None, *, archive: bool, as_json: bool) -> None:
    """Archive or restore runs."""
    found = _named(names, root, running=True)
    for folder, record in found:
        if read_marks(folder).archived == archive:
            _tell(f"{record.name} was {'already' if archive else 'not'} archived")
    work, done = (archive_run, "archived") if archive else (restore_run, "restored")
    _apply(found, work, done, as_json)


def tag(name: str, texts: Sequence[str], removed: Sequence[str], root: str | None, as_json: bool) -> None:
    """Set and remove tags of a run."""
    tags = dict(map(parse_tag, texts))
    if not tags and not removed:
        raise UsageError("harness runs tag needs a tag, as NAME or NAME=VALUE, or --remove NAME.")
    found = _named([name], root, running=True)
    folder, _ = found[0]
    known = read_marks(folder).tags
    if absent := [one for one in removed if one not in known]:
        has = f"its tags are {listed(sorted(known))}" if known else "it has none"
        raise UsageError(f"{folder.path.name} has no tag {listed(absent)}: {has}.")
    _apply(found, lambda folder, record: tag_run(folder, record, tags, removed), "tagged", as_json)


def note(name: str, text: str, root: str | None, as_json: bool) -> None:
    """Set the note of a run."""
    checked = parse_note(text)
    found = _named([name], root, running=True)
    _apply(found, lambda folder, record: note_run(folder, record, checked), "noted", as_json)


def prune(root: str | None, *, dry_run: bool, caches: bool, as_json: bool) -> None:
    """Remove what no run needs any more, caches too where they are asked for, or say what that is."""
    cached = {str(path): _size_of(path) for path in _unused_caches()}
    files = {str(path): _size_of(path) for path in _prunable(runs_root(root).path)} | (
        cached if caches else {}
    )
    total = sum(files.values())
    if not dry_run:
        for path in map(Path, files):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    if as_json:
        print_json({"removed": not dry_run, "bytes": total, "files": files, "caches": cached})
        return
    for name, n in files.items():
        click.echo(plain(f"{size(n):>9}  {name}"))
    what = "would free" if dry_run else "freed"
    if not files:
        click.echo("nothing to free: no run left anything that is not needed")
    else:
        click.echo(f"{what} {size(total)} of {many(len(files), 'file or folder', 'files and folders')}")
    if cached and not caches:
        _offer_caches(cached)


def _offer_caches(cached: dict[str, int]) -> None:
    """Say what caches take, and how they are freed."""
    taken = (
        f"{many(len(cached), 'cache')} in {cache_root()} not read for a day take {size(sum(cached.values()))}"
    )
    paragraph(
        "", f"{taken}: --caches frees them too. They are made again from the data when something needs them."
    )


def _apply(found: Found, work: Callable[[RunFolder, Record], str | None], done: str, as_json: bool) -> None:
    said = {record.name: work(folder, record) for folder, record in found}
    _say(found, done, said, as_json, {})


def _named(names: Sequence[str], root: str | None, *, running: bool = False) -> Found:
    """Return the runs of these names; raise `UsageError` for trials, and for those that run, unless they may."""
    found: dict[Path, tuple[RunFolder, Record]] = {}
    for name in names:
        folder = find_run(name, runs_root(root).path)
        record = folder.read()
        assert record is not None
        if record.study is not None:
            raise UsageError(f"{record.name} is a trial of the study {record.study}, which keeps its trials.")
        if record.status == "running" and not running:
            raise UsageError(f"{record.name} is running: wait for it, or stop it.")
        found[folder.path.resolve()] = (folder, record)
    return list(found.values())


def _referring(record: Record, root: str | None) -> Iterator[str]:
    """Yield a line for each thing that refers to a run."""
    place = runs_root(root).path
    for _, other in readable(all_runs(place), lambda file, why: None):
        if other.config.get("backbone", {}).get("init_from") in (record.name, str(place / record.name)):
            yield f"{other.name} started from it and needs it to be resumed or repeated"
    for _, group in groups(place, lambda file, why: None):
        if record.name in group["runs"]:
            yield f"the group of seeds {group['name']} counts it"
    for name in record.tags:
        if name.startswith(SUITE):
            yield f"a cell of the suite {name.removeprefix(SUITE)}, which runs it again"
    if study := record.tags.get("harness.study"):
        yield f"the test of the study {study}"


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can be asked here: give --yes.")
    if not click.confirm("\n".join(folded(question, indent=2, error=True)), err=True):
        click.echo("Nothing was deleted.", err=True)
        raise click.exceptions.Exit(1)


def _tell(line: str) -> None:
    """Print a line to standard error, folded between words."""
    click.echo("\n".join(folded(line, indent=2, error=True)), err=True)


def _say(found: Found, done: str, said: dict[str, str | None], as_json: bool, more: dict[str, Any]) -> None:
    """Print what was done, and one line of what MLflow did not take."""
    names = [record.name for _, record in found]
    if as_json:
        print_json({done: names, "untold": {name: line for name, line in said.items() if line}, **more})
        return
    click.echo(plain(f"{done} {', '.join(names)}" + (f", {size(more['freed'])} freed" if more else "")))
    for line in dict.fromkeys(filter(None, said.values())):
        _tell(line)


def _prunable(root: Path) -> Iterator[Path]:
    """Yield working files of finished runs, deletions that were cut off, and folders of runs that never began."""
    for folder, record in readable(all_runs(root), lambda file, why: None):
        if record.status == "finished" and _is_idle(folder.path):
            for pattern in _WORKING:
                yield from sorted(folder.path.glob(pattern))
    yield from leftovers(root)
    for place in sorted(root.glob("*-*")):
        if place.is_dir() and [file.name for file in place.iterdir()] == [".lock"] and is_free(place):
            yield place


def _unused_caches() -> list[Path]:
    """Return the finished caches that nothing has read or written for a day; whoever still has one mapped keeps it."""
    found = sorted(file for pattern in _CACHES for file in cache_root().path.glob(pattern))
    return [file for file in found if time.time() - _last_used(file) > _UNUSED_SECONDS]


def _last_used(file: Path) -> float:
    try:
        state = file.stat()
    except FileNotFoundError:
        return math.inf
    return max(state.st_atime, state.st_mtime)


def _is_idle(place: Path) -> bool:
    try:
        with locked(place):
            return True
    except (Busy, UsageError):
        return False


def _size_of(path: Path) -> int:
    return disk_bytes(RunFolder(path)) if path.is_dir() else path.stat().st_size
