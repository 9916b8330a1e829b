"""Draw records and progress on a terminal; plain lines when it is none."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from harness.cli.options import console, plain
from harness.listener import Listener

COLUMNS = ("R1", "R5", "R10", "mAP", "mINP")
_WITH_INTERVAL = ("R1", "mAP")
_LOG_EVERY = 10.0
_FOLDED = 12


def table(title: str, header: Iterable[str], rows: Iterable[Iterable[Any]], left: int = 1) -> None:
    """Print a table; all columns after the first `left` are numbers, set flush right.

    On a narrow terminal the first column is folded, and no other cell is cut: a number without its end is wrong.
    """
    from rich import box
    from rich.table import Table

    grid = Table(title=plain(title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    names, lines = list(header), [[plain(str(cell)) for cell in row] for row in rows]
    for index, name in enumerate(names):
        grid.add_column(name, justify="left" if index < left else "right", no_wrap=index > 0, overflow="fold")
    for line in lines:
        grid.add_row(*line)
    screen = console()
    screen.width = max(screen.width, _least_width([names, *lines]))
    with screen.capture() as drawn:
        screen.print(grid)
    click.echo("\n".join(line.rstrip() for line in drawn.get().rstrip().splitlines()))


def _least_width(lines: Sequence[Sequence[str]]) -> int:
    """Return the width that a table needs to cut nothing, its first column folded, with three signs between columns."""
    from rich.cells import cell_len

    widths = [
        max(cell_len(part) for text in column for part in text.split("\n"))
        for column in zip(*lines, strict=True)
    ]
    return min(widths[0], _FOLDED) + sum(widths[1:]) + 3 * len(widths) + 1


def cell(value: float | None, ends: Iterable[float] | None = None) -> str:
    """Return a metric with its interval, as `61.8 [60.4, 63.1]`; a dash where there is none."""
    if value is None:
        return "–"
    if ends is None:
        return f"{value:.1f}"
    low, high = ends
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def metric_rows(metrics: dict[str, float], intervals: dict[str, tuple[float, float]]) -> list[list[str]]:
    """Return one table row per dataset and direction from flat `split/dataset/direction/name` metrics."""
    keys = dict.fromkeys(name.rpartition("/")[0] for name in metrics if name.count("/") == 3)
    rows = []
    for key in keys:
        cells = [
            cell(metrics.get(f"{key}/{c}"), intervals.get(f"{key}/{c}") if c in _WITH_INTERVAL else None)
            for c in COLUMNS
        ]
        _, dataset, direction = key.split("/")
        rows.append([dataset, direction, *cells])
    return rows


def record_table(record: Any) -> None:
    """Print a finished record: metrics with 95 % intervals and the header without which they mean little."""
    twin = " · SYNTHETIC TWIN" if record.synthetic else ""
    rule = {"none": "untrained"}.get(record.selection.get("rule"), f"rule {record.selection.get('rule')}")
    title = f"{record.name}{twin} · {rule} · seed {record.config['seed']}"
    table(title, ("dataset", "query", *COLUMNS), metric_rows(record.metrics, record.intervals), left=2)
    click.echo(_facts(record))
    if record.oracle:
        gap = record.oracle["optimism_gap"]
        click.echo(
            f"oracle: best epoch on test {record.oracle['epoch']}, optimism gap {gap:+.1f} points of R@1"
        )


def _facts(record: Any) -> str:
    parameters = record.accounting.get("parameters", {})
    share = 100 * parameters.get("trainable", 0) / max(parameters.get("total", 1), 1)
    epoch = f"epoch {record.selection.get('epoch', 0)} of {record.selection.get('epochs', 0)}"
    if record.imported:
        chosen = {"oracle": "on the test split, which flatters"}.get(record.selection["rule"], "otherwise")
        epoch = f"epoch chosen by the authors {chosen}\nimported from {plain(record.imported)}"
        if not record.metrics:
            dataset = record.config["dataset"]["name"]
            epoch += f", not tested yet: harness evaluate {record.name} --dataset {dataset}"
    pairs = f"{record.data['train_pairs']:,}" if "train_pairs" in record.data else "unknown"
    return (
        f"trained on {pairs} pairs · {epoch}\n"
        f"{parameters.get('trainable', 0):,} of {parameters.get('total', 0):,} parameters trainable ({share:.2f} %) · "
        f"{record.seconds:.0f} s · intervals: 95 %, bootstrap over identities"
    )


def comparison_table(records: list[Any]) -> None:
    """Print several methods' results on one dataset, one line each."""
    dataset = records[0].config["dataset"]["name"]
    twin = " · SYNTHETIC TWIN" if records[0].synthetic else ""
    header = ("method", "R@1 [95 %]", "R@5", "R@10", "mAP [95 %]", "trainable", "of all", "pairs", "time")
    rows = [_comparison_row(record, f"test/{dataset}/t2i/") for record in records]
    table(f"{dataset}{twin} · text to image · rule {records[-1].selection.get('rule')}", header, rows)
    click.echo("intervals: 95 %, bootstrap over identities; pairs: (caption, image) pairs trained on")


def _comparison_row(record: Any, key: str) -> list[str]:
    metrics, ends = record.metrics, record.intervals
    counts = record.accounting["parameters"]
    return [
        record.config["method"]["name"],
        cell(metrics[f"{key}R1"], ends[f"{key}R1"]),
        cell(metrics[f"{key}R5"]),
        cell(metrics[f"{key}R10"]),
        cell(metrics[f"{key}mAP"], ends[f"{key}mAP"]),
        f"{counts['trainable']:,}",
        f"{100 * counts['trainable'] / counts['total']:.1f} %",
        f"{record.data['train_pairs'] if counts['trainable'] else 0:,}",
        f"{record.seconds:.0f} s",
    ]


class TerminalListener(Listener):
    """Shows stages and bars on a terminal; elsewhere one line per epoch and every ten seconds of a long stage."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet, self.live = quiet, sys.stderr.isatty() and not quiet
        self._bar: Any = None
        self._task: Any = None
        self._stage, self._said = "", 0.0

    def on_stage(self, text: str) -> None:
        """Name the stage."""
        self._stage, self._said = text, time.monotonic()
        if self.live:
            self._close()
        self._say(text)

    def on_count(self, done: int, total: int) -> None:
        """Draw the stage's bar."""
        if self.live:
            self._draw(self._stage, done, total)
        elif time.monotonic() - self._said > _LOG_EVERY:
            self._said = time.monotonic()
            self._say(f"{self._stage}: {done:,} of {total:,}")

    def on_note(self, text: str) -> None:
        """Say something a person should know."""
        click.echo(plain(text), err=True)

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Say where training resumes."""
        self._say(f"resuming from the checkpoint: epoch {len(history) + 1}, step {step + 1}")

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Draw the epoch's bar."""
        if self.live:
            self._draw(f"epoch {epoch}", step, n_steps)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Say the epoch's loss and validation."""
        if self.live:
            self._close()
        score = (
            f"  val R@1 {row['val/t2i/R1']:5.1f}  mAP {row['val/t2i/mAP']:5.1f}"
            if "val/t2i/R1" in row
            else ""
        )
        self._say(f"epoch {epoch:3d}  loss {row['train/loss']:.4f}{score}  {row['seconds']:.1f} s")

    def close(self) -> None:
        """End whatever is drawn."""
        self._close()

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(plain(text), err=True)

    def _draw(self, text: str, done: int, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console(err=True), transient=True)
            self._task = self._bar.add_task(plain(text), total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, description=plain(text))

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextmanager
def watching(quiet: bool) -> Iterator[TerminalListener]:
    """Yield a terminal listener and clear its bars at the end."""
    listener = TerminalListener(quiet)
    try:
        yield listener
    finally:
        listener.close()
