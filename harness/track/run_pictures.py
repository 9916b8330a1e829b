"""The page of one run in MLflow: its curves, what it ranks first for a few captions, and the note that shows both.

MLflow shows a picture in a note where its address is one of its server, and drops those that are part of the text (seen
in 3.17): so pictures are artifacts, and the note has their addresses.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from harness.errors import DataError
from harness.files import read_json
from harness.pages.curves import Curve, draw_curves
from harness.pages.escaping import markdown_text
from harness.record import GALLERY, GALLERY_WORDS, Record, RunFolder
from harness.record.marks import read_marks
from harness.track.notes import NOTE, description

PICTURES = "pictures"
_CURVES = "curves.svg"
_CURVED = {"val/t2i/R1": "validation, text to image, R@1 in %", "train/loss": "training loss"}
_MOST_SIGNS = 240


class Store(Protocol):
    """What is asked of a store."""

    uri: str
    client: Any

    def log_file(self, run_id: str, file: Path, folder: str | None = None) -> None:
        """Add a file to a run's artifacts."""
        ...


def send_page(store: Store, run_id: str, record: Record, folder: RunFolder) -> dict[str, str]:
    """Send the pictures of a run; return the tag of its note, which shows them.

    Pictures of people that are no drawing stay where the run was made: they are sent to a store on this machine alone.
    """
    shown = list(_sent(store, run_id, record, folder)) if record.study is None else []
    return {NOTE: description(record, read_marks(folder).note, shown)}


def _sent(store: Store, run_id: str, record: Record, folder: RunFolder) -> Iterator[str]:
    curves = curves_of(record, folder)
    if curves:
        store.client.log_text(run_id, draw_curves(curves), f"{PICTURES}/{_CURVES}")
        yield _picture(run_id, _CURVES, "; ".join(curve.title for curve in curves))
    rows = _gallery(folder)
    if rows and (record.synthetic or _stays_here(store, run_id)):
        store.log_file(run_id, folder.file(GALLERY), PICTURES)
        yield _picture(run_id, GALLERY, "what the run ranks first")
        yield "\n".join(f"{number}. {_words(row)}" for number, row in enumerate(rows, 1))
        yield "A row for each caption, best first; a solid blue frame is the right identity, a dashed one another."
    elif rows:
        yield (
            "What it ranks first is not shown: pictures of the dataset stay on the machine of the run, where "
            f"`harness report run {record.name}` draws them."
        )


def curves_of(record: Record, folder: RunFolder) -> list[Curve]:
    """Return the curves of a run's validation and training, with the epoch that was chosen; none without epochs."""
    try:
        rows = folder.history()
    except DataError:
        return []
    found = []
    for key, title in _CURVED.items():
        points = [(row["epoch"], row[key]) for row in rows if math.isfinite(row.get(key, math.nan))]
        chosen = record.selection.get("epoch") if key.startswith("val/") else None
        found += [Curve(title, points, chosen)] if points else []
    return found


def _stays_here(store: Store, run_id: str) -> bool:
    place = urlsplit(str(store.client.get_run(run_id).info.artifact_uri)).scheme
    return store.uri.startswith("sqlite:") and place in ("", "file")


def _gallery(folder: RunFolder) -> list[dict[str, Any]]:
    if not folder.file(GALLERY).is_file():
        return []
    try:
        return list(read_json(folder.file(GALLERY_WORDS), of=dict)["rows"])
    except (DataError, KeyError, TypeError):
        return []


def _words(row: dict[str, Any]) -> str:
    caption = str(row["caption"])
    cut = caption if len(caption) <= _MOST_SIGNS else f"{caption[:_MOST_SIGNS]}…"
    return f"{markdown_text(str(row['kind']))}, first right at {int(row['first_rank']):,}: “{markdown_text(cut)}”"


def _picture(run_id: str, name: str, words: str) -> str:
    return f"![{markdown_text(words)}](get-artifact?path={PICTURES}%2F{name}&run_uuid={run_id})"
