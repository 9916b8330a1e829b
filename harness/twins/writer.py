"""Write a synthetic twin to disk: atomic, repeatable to the byte, with any number of processes."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from string import punctuation

from harness.compute.child_processes import process_pool
from harness.compute.claims import claimed, clear_abandoned
from harness.datasets import Counts, Domain, PersonDataset
from harness.errors import HarnessError, UsageError
from harness.places import writing
from harness.twins.camera_roll import develop
from harness.twins.marker import GENERATOR_VERSION, MARKER_FILE, Marker, read_marker, write_marker
from harness.twins.plan import Order, plan_pictures, share_of, split_sizes

Progress = Callable[[int, int], None]
_CHUNK = 32
_WORTH_A_PROCESS = 1_000
_DRAFT, _OLD = ".draft", ".old"
_NO_PUNCTUATION = str.maketrans("", "", punctuation)


def _twin_folder(dataset: type[PersonDataset], root: Path) -> Path:
    """Return where the twin of a dataset is below a data root."""
    return root / "synthetic" / dataset.folder


def write_twin(
    dataset: type[PersonDataset],
    root: Path,
    *,
    identities: int | None = None,
    share: float | None = None,
    seed: int = 0,
    force: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the twin of a dataset, unless the same one is there already, and return its folder.

    Args:
        identities: persons in all; None for the domain's small default.
        share: instead, this share of the published identities, images and captions; 1 for all of them.
        seed: another seed gives other persons, pictures and captions.
        force: replace a twin that was made with other settings.
        workers: processes; None takes one for each free core when there is enough work.
        progress: called with (pictures done, pictures in all).

    Raises `UsageError` when the dataset has no twin, or another twin or real data are in the folder.
    """
    domain = _domain_of(dataset)
    exact = _exact_counts(dataset, share, identities)
    sizes = (
        {split: counts.identities for split, counts in exact.items()}
        if exact
        else _twin_sizes(dataset, identities)
    )
    folder = _twin_folder(dataset, root)
    wanted = Marker(GENERATOR_VERSION, dataset.name, seed, sum(sizes.values()), {}, share)
    clear_traces(dataset, root)
    if _is_there(folder, wanted, force):
        return folder
    orders = plan_pictures(domain, dataset.name, sizes, seed, exact)
    draft = folder.with_name(f".{folder.name}{_DRAFT}")
    with writing(folder, "give another --data-root"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with claimed(draft, folder=True):
            # Another process may have made it meanwhile.
            if not _is_there(folder, wanted, force):
                counts = _fill(draft, dataset, orders, workers, progress)
                write_marker(draft, replace(wanted, counts=counts))
                _move_in(draft, folder)
    return folder


def clear_traces(dataset: type[PersonDataset], root: Path) -> None:
    """Remove what processes left that were killed while they made a dataset's twin."""
    folder = _twin_folder(dataset, root)
    former = f".{folder.name}-{'[0-9a-f]' * 32}"
    clear_abandoned(
        folder.parent, f".{folder.name}{_DRAFT}", f".{folder.name}{_OLD}", former, f"{former}-old"
    )


def _exact_counts(
    dataset: type[PersonDataset], share: float | None, identities: int | None
) -> dict[str, Counts] | None:
    if share is None:
        return None
    if identities is not None:
        raise UsageError("Give either a number of identities or a share of the published counts, not both.")
    if not dataset.expected:
        raise UsageError(f"{dataset.title} has no published counts to take a share of: give --identities.")
    if not 0 < share <= 1:
        raise UsageError(f"A share of the published counts is above 0 and at most 1, not {share:g}.")
    return share_of(dataset.expected, share)


def _twin_sizes(dataset: type[PersonDataset], identities: int | None = None) -> dict[str, int]:
    """Return the identities of each split of a twin: in the published proportions, else in those of the domain."""
    domain = _domain_of(dataset)
    published = {split: counts.identities for split, counts in dataset.expected.items()}
    return split_sizes(domain, published or domain.small, identities)


def twin_captions(dataset: type[PersonDataset], root: Path, split: str) -> int:
    """Return how many captions a split of a twin has, or would have if it were made: then without the few extra."""
    marker = read_marker(_twin_folder(dataset, root))
    if marker is not None:
        return marker.counts[split].captions if split in marker.counts else 0
    domain = _domain_of(dataset)
    orders = plan_pictures(domain, dataset.name, _twin_sizes(dataset), seed=0)
    return domain.speech.captions * sum(order.split == split for order in orders)


def _domain_of(dataset: type[PersonDataset]) -> Domain:
    if dataset.twin is None:
        raise UsageError(f"The dataset {dataset.name!r} has no synthetic twin: its class sets no `twin`.")
    return dataset.twin


def _is_there(folder: Path, wanted: Marker, force: bool) -> bool:
    """Say whether the wanted twin exists; raise when something else is in its place."""
    found = read_marker(folder) if folder.exists() and not force else None
    if found is not None and found.same_twin(wanted):
        return True
    if folder.exists() and not (folder / MARKER_FILE).is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists and is no synthetic twin: move it away; it is not overwritten.")
    if found is not None:
        raise UsageError(
            f"{folder} contains {_described(found)}; asked for {_described(wanted)}: use --force to replace it."
        )
    return False


def _described(marker: Marker) -> str:
    share = "" if marker.share is None else f" ({marker.share:g} of the published counts)"
    return f"a twin of {marker.identities} identities{share} with seed {marker.seed} (generator {marker.version})"


def _move_in(draft: Path, folder: Path) -> None:
    """Put the finished draft in place of what is there."""
    old = folder.with_name(f".{folder.name}{_OLD}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _fill(
    draft: Path,
    dataset: type[PersonDataset],
    orders: Sequence[Order],
    workers: int | None,
    progress: Progress | None,
) -> dict[str, Counts]:
    images, domain = draft / dataset.image_folder, _domain_of(dataset)
    for parent in sorted({(images / order.image).parent for order in orders}):
        parent.mkdir(parents=True, exist_ok=True)
    captions: list[list[str]] = []
    for part in _developed(images, domain, orders, _processes(workers, len(orders))):
        captions += part
        if progress:
            progress(len(captions), len(orders))
    records = [_record(domain.form.keys, order, texts) for order, texts in zip(orders, captions, strict=True)]
    (draft / domain.form.annotation_file).write_text(json.dumps(records), encoding="utf-8")
    return _counted(orders, captions)


def _developed(
    images: Path, domain: Domain, orders: Sequence[Order], processes: int
) -> Iterator[list[list[str]]]:
    """Yield the captions of one part of the pictures after the other, in order, as the pictures get written."""
    parts = [orders[start : start + _CHUNK] for start in range(0, len(orders), _CHUNK)]
    if processes == 1:
        yield from map(develop, repeat(images), repeat(domain.looks), repeat(domain.speech), parts)
        return
    try:
        with process_pool(processes) as pool:
            yield from pool.map(develop, repeat(images), repeat(domain.looks), repeat(domain.speech), parts)
    except BrokenProcessPool as error:
        raise HarnessError(
            "A process that drew pictures ended early. In a script of your own, call this under "
            "`if __name__ == '__main__':`, or pass workers=1."
        ) from error


def _processes(workers: int | None, n_pictures: int) -> int:
    if workers is not None:
        return max(1, workers)
    return len(os.sched_getaffinity(0)) if n_pictures >= _WORTH_A_PROCESS else 1


def _record(keys: Mapping[str, str], order: Order, captions: list[str]) -> dict[str, object]:
    """Return one annotation object with the domain's keys in the domain's order."""
    values: dict[str, object] = {
        "split": order.split,
        "captions": captions,
        "path": order.image,
        "id": order.number,
        "source": order.source,
    }
    if "tokens" in keys.values():
        values["tokens"] = [caption.lower().translate(_NO_PUNCTUATION).split() for caption in captions]
    return {key: values[held] for key, held in keys.items()}


def _counted(orders: Sequence[Order], captions: Sequence[list[str]]) -> dict[str, Counts]:
    counts = {}
    for split in dict.fromkeys(order.split for order in orders):
        own = [index for index, order in enumerate(orders) if order.split == split]
        people = {orders[index].number for index in own}
        counts[split] = Counts(len(people), len(own), sum(len(captions[index]) for index in own))
    return counts
