"""What is known of the datasets without reading them: terms, expected files, counts, and where they are."""

from typing import Any

from harness.data.annotations import PRE_SPLIT, found_at, locate, named_wrong
from harness.datasets import DATASETS, SPLITS, Counts, PersonDataset
from harness.errors import HarnessError
from harness.paths import DATASET_FILE, Place

_SYNTHETIC = "synthetic"


def chosen_place(root: Place, synthetic: bool) -> Place:
    """Return the folder of the real datasets, or the one of their synthetic twins inside it."""
    return Place(root.path / _SYNTHETIC, root.chosen_by) if synthetic else root


def overview(root: Place) -> list[dict[str, Any]]:
    """Return one row per dataset: name, title, test counts, and where data and twin were found, if at all."""
    return [_row(name, root) for name in DATASETS.names()]


def describe(dataset: type[PersonDataset], root: Place, synthetic: bool = False) -> dict[str, Any]:
    """Return everything about one dataset: how to get it, which files are expected where, and what is there."""
    place = chosen_place(root, synthetic)
    folder = place.path / dataset.folder
    known = {wrong.what: wrong.mend for wrong in dataset.wrong_files}
    from harness.relations import KINDS, related

    return {
        "name": dataset.name,
        "title": dataset.title,
        "synthetic": synthetic,
        "licence": dataset.licence,
        "access": dataset.access,
        "data_root": str(folder if dataset.own else place.path),
        "chosen_by": _chosen_by(dataset, place),
        "found": _found(dataset, place),
        "state": found_at(dataset, place.path),
        "folder": str(folder),
        "annotation_files": list(dataset.annotation_files),
        "also_read": []
        if dataset.own
        else [pattern.format(split="{train,val,test}", name=dataset.name) for pattern in PRE_SPLIT],
        "image_folder": dataset.image_folder,
        "expected": {split: row._asdict() for split, row in dataset.expected.items()},
        "known_wrong_files": [{"what": what, "mend": mend} for what, mend in known.items()],
        "wrong_files_found": [wrong.what for wrong in named_wrong(dataset, place.path)],
        "has_val": "val" in dataset.expected if dataset.expected else dataset.default_val == "own",
        "default_val": dataset.default_val,
        "text_length": dataset.text_length,
        "met_in": [
            {
                "trained_on": name,
                "kind": one.kind,
                "words": KINDS[one.kind],
                "what": one.what,
                "sources": one.sources,
            }
            for name, one in related(dataset.name)
        ],
        "has_twin": dataset.twin is not None,
    }


def _total(expected: dict[str, Counts]) -> Counts:
    """Return the sums over all splits, which share no person.

    >>> _total({"train": Counts(2, 5, 9), "test": Counts(1, 2, 2)})
    Counts(identities=3, images=7, captions=11)
    """
    rows = [expected[split] for split in SPLITS if split in expected]
    return Counts(*(sum(column) for column in zip(*rows, strict=True))) if rows else Counts(0, 0, 0)


def _row(name: str, root: Place) -> dict[str, Any]:
    try:
        dataset = DATASETS.get(name)
        found = {synthetic: _found(dataset, chosen_place(root, synthetic)) for synthetic in (False, True)}
    except HarnessError as error:
        return {"name": name, "error": str(error)}
    counts = _total(dataset.expected)._asdict() if dataset.expected else dict.fromkeys(Counts._fields)
    found |= {True: None} if dataset.own else {}
    twin = {"twin": found[True], "has_twin": dataset.twin is not None}
    return {"name": name, "title": dataset.title, **counts, "found": found[False], **twin}


def _chosen_by(dataset: type[PersonDataset], place: Place) -> str:
    if dataset.own:
        return "--data" if dataset.own.content else f"its {DATASET_FILE}"
    return place.chosen_by


def _found(dataset: type[PersonDataset], place: Place) -> str | None:
    location = locate(dataset, place.path)
    return str(location.folder) if location else None
