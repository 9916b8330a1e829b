"""Search images by free text with a trained run: a ranking for each query, and a page that shows it."""

import re
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from harness.data.protocols.joint_names import part_configs
from harness.data.reading import read_dataset
from harness.errors import UsageError, many
from harness.file_kinds import read_text
from harness.images.decoding import ImageError
from harness.inference.found import Search
from harness.inference.gallery import Hit, find_images, open_gallery
from harness.inference.model import Trained
from harness.inference.page import write_search_page
from harness.inference.relevance import Relevance
from harness.listener import Listener
from harness.pages.escaping import safe_stem, visible
from harness.paths import runs_root
from harness.places import writable
from harness.record import find_run

_OUT = Path("search-out")


def search(
    run: str,
    queries: Sequence[str],
    *,
    gallery: str | Path | None = None,
    top: int = 10,
    relevance: int = 0,
    out: str | Path | None = None,
    runs: str | Path | None = None,
    data_root: str | None = None,
    device: str = "auto",
    listener: Listener | None = None,
) -> Search:
    """Rank a folder's images for each description, and write the rankings as one HTML page.

    Args:
        run: the finished run that searches: a name, its beginning, or a folder.
        queries: descriptions.
        gallery: folder of images, searched with all below it; by default the test split of the run's own dataset.
        top: how many images to return for each description.
        relevance: for how many of them to look which patches and words carry the match.
        out: the page; by default `search-out/` and a name made of the first description.
        runs: folder of the records.
        data_root: folder of the datasets, for the default gallery.
        device: where to compute.
        listener: shown the progress.
    """
    listener = listener or Listener()
    page = Path(out) if out else _OUT / f"{_page_name(queries)}.html"
    writable(page.parent)
    trained = Trained(find_run(run, runs_root(runs).path), device=device)
    place, files = (
        (Path(gallery), find_images(Path(gallery))) if gallery else own_images(trained, data_root, listener)
    )
    images = open_gallery(trained, files, place, listener)
    rankings, seconds = [], []
    for query in queries:
        start = time.perf_counter()
        rankings += images.rank(trained.encode_text([query]), top)
        seconds.append(time.perf_counter() - start)
    maps = _maps(trained, queries, [hits[:relevance] for hits in rankings], listener) if relevance else []
    found = Search(trained.record, place, not gallery, images, list(queries), rankings, seconds, page, maps)
    write_search_page(found)
    return found


def _maps(
    trained: Trained, queries: Sequence[str], rankings: Sequence[Sequence[Hit]], listener: Listener
) -> list[list[Relevance | None]]:
    """Return the relevance maps of each query's images; None of one that is gone since it was encoded."""
    listener.on_stage(f"looking for what carries {many(sum(map(len, rankings)), 'match', 'matches')}")
    found: list[list[Relevance | None]] = []
    for query, hits in zip(queries, rankings, strict=True):
        found.append([])
        for hit in hits:
            try:
                found[-1].append(trained.relevance(query, hit.path))
            except ImageError:
                found[-1].append(None)
    return found


def read_queries(given: Sequence[str], file: str | Path | None = None) -> list[str]:
    """Return the descriptions of a command line and of a file, one a line; raise `UsageError` when there is none."""
    lines = read_text(file, error=UsageError).splitlines() if file else []
    found = [query for text in (*given, *lines) if (query := visible(text).strip())]
    if not found:
        raise UsageError(
            'Nothing to search for: give a description in quotes, as "a woman in a red coat", or --queries FILE '
            "with one a line."
        )
    if len(given) > 1 and not any(" " in query for query in given):
        raise UsageError(
            f'Put a description in quotes, as "{visible(" ".join(given))}": each argument is one query.'
        )
    return found


def _page_name(queries: Sequence[str]) -> str:
    """Return a file name's stem for a search: words of the first description, and a mark of all.

    >>> _page_name(["a woman in a red coat"])
    'a-woman-in-a-red-coat-bea0c9'
    """
    words = re.sub(r"_+", "-", safe_stem(queries[0]))[:40].strip("-").lower()
    return f"{words}-{sha256(chr(10).join(queries).encode(errors='replace')).hexdigest()[:6]}"


def own_images(trained: Trained, data_root: str | None, listener: Listener) -> tuple[Path, list[Path]]:
    """Return folder and images of the test split of a run's own dataset."""
    config = trained.config.dataset
    own = config.model_copy(update={"root": data_root or config.root})
    reading = read_dataset(part_configs(own)[0], listener, needed=["test"])
    samples = [sample for sample in reading.samples if sample.split == "test"]
    return reading.root / reading.dataset.folder, [reading.contents[one.image].file for one in samples]
