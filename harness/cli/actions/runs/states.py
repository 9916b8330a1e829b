"""In which words the state of a run is told."""

import socket
from pathlib import Path

import click

from harness.cli.options import plain
from harness.record import LEFT, Record, reached
from harness.record.time_left import duration


def status_words(record: Record) -> str:
    """Return the status of a run, and where it runs if that is another machine."""
    host = record.environment.get("host")
    elsewhere = record.status == "running" and host not in (None, socket.gethostname())
    return f"{record.status} on {host} (or gone)" if elsewhere else str(record.status)


def state(record: Record) -> str:
    """Return a run's state, of one that did not finish how far it came, and of one that runs the time left."""
    return ", ".join(filter(None, [status_words(record), reached(record.progress), _time_left(record)]))


def short_state(record: Record) -> str:
    """Return a run's state with the epochs done of those to do, as `interrupted 3/60`, and the time left."""
    known = record.progress.get("epochs")
    epochs = f" {record.progress['epoch']}/{known}" if known else ""
    return ", ".join(filter(None, [f"{status_words(record)}{epochs}", _time_left(record)]))


def _time_left(record: Record) -> str:
    """Return how long the training of a run still takes that runs at the moment; empty while that is unknown."""
    left = record.progress.get(LEFT) if record.status == "running" else None
    return f"{duration(left)} left" if left else ""


def is_before_pictures(record: Record) -> bool:
    """Whether a run depends on pictures and does not know on which."""
    return not record.pictures and bool(record.fingerprint)


def tell(file: Path, why: str) -> None:
    """Say that a record is left out."""
    click.echo(plain(f"left out: {why}"), err=True)
