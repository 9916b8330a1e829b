"""What the longer `harness data` commands do: check, make and cache, with a bar on a terminal."""

from typing import Any

import click

from harness.cli.layout import table
from harness.cli.options import parse_size, plain
from harness.cli.progress import watching
from harness.data.annotations import image_files, locate, missing_twin, read_dataset
from harness.data.overview import chosen_place
from harness.data.verify.verify import VerifyReport
from harness.datasets import DATASETS, PersonDataset, is_test_only
from harness.errors import UsageError, many
from harness.paths import Place, cache_root


def verified(name: str, root: Place, synthetic: bool, *, quiet: bool, **options: Any) -> VerifyReport:
    """Check a dataset or its twin; `options` are those of `harness.data.verify.verify.verify`."""
    from harness.data.verify.verify import verify

    dataset, place = find(name, root, synthetic)
    with watching(quiet) as listener:
        where = dataset.own.file if dataset.own else place
        listener.on_stage(f"checking {titled(dataset, synthetic)} in {where}")
        return verify(dataset, place, progress=listener.on_count, **options)


def make_twin(name: str, root: Place, *, quiet: bool, **options: Any) -> None:
    """Make a synthetic twin and say what it holds; `options` are those of `harness.twins.write_twin`."""
    from harness.twins.marker import read_marker
    from harness.twins.writer import write_twin

    dataset = DATASETS.get(name)
    if dataset.twin is None:
        raise UsageError(f"{dataset.title} has no synthetic twin; those that have: {', '.join(twins())}.")
    with watching(quiet) as listener:
        listener.on_stage(f"making the synthetic twin of {dataset.title}")
        folder = write_twin(dataset, root.path, progress=listener.on_count, **options)
    marker = read_marker(folder)
    assert marker is not None
    counts = [(split, *(f"{value:,}" for value in row)) for split, row in marker.counts.items()]
    title = f"Synthetic twin of {dataset.title} (seed {marker.seed}) in {folder}"
    table(title, ("split", "identities", "images", "captions"), counts)
    option = f" --data-root {root.path}" if root.chosen_by == "--data-root" else ""
    use = f"harness run --method cskt --dataset {marker.dataset} --synthetic{option}"
    if is_test_only(dataset):
        use = f"harness evaluate RUN --dataset {marker.dataset}{option}"
    click.echo(plain(f"Use it with: {use}"))


def twins() -> list[str]:
    """Return the names of the datasets that have a synthetic twin."""
    return [dataset.name for dataset in DATASETS.usable() if dataset.twin is not None]


def fill_cache(
    name: str, root: Place, synthetic: bool, image_size: str, *, quiet: bool, **options: Any
) -> None:
    """Build the image store of a dataset, after saying what it takes; `options` are those of `open_images`."""
    from harness.images.store import disk_bytes, open_images

    dataset, place = find(name, root, synthetic)
    size = parse_size(image_size)
    files = image_files(dataset, place.path, read_dataset(dataset, place))
    needed = disk_bytes(len(files), size)
    amount = f"{needed / 1e9:.2f} GB" if needed >= 1e9 else f"{needed / 1e6:.1f} MB"
    click.echo(f"{many(len(files), 'image')} at {size[0]}x{size[1]} take {amount} of disk in {cache_root()}.")
    with watching(quiet) as listener:
        listener.on_stage(f"decoding the images of {titled(dataset, synthetic)}")
        images = open_images(files, size, progress=listener.on_count, **options)
    n = len(images.bad)
    skipped = f"; {many(n, 'unreadable image')} {'is' if n == 1 else 'are'} skipped" if n else ""
    click.echo(f"Ready: runs at this size and interpolation read from there{skipped}.")
    for file in images.bad_files[:5]:
        click.echo(f"  unreadable: {plain(str(file))}")


def titled(dataset: type[PersonDataset], synthetic: bool) -> str:
    """Return the name of a dataset or its twin in messages."""
    return f"the synthetic twin of {dataset.title}" if synthetic else dataset.title


def find(name: str, root: Place, synthetic: bool) -> tuple[type[PersonDataset], Place]:
    """Return a dataset and the folder to look in; raise when its twin is asked for and not made yet."""
    dataset = DATASETS.get(name)
    place = chosen_place(root, synthetic)
    if synthetic and (dataset.own or locate(dataset, place.path) is None):
        raise missing_twin(dataset, place)
    return dataset, place
